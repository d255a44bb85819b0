package model

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// content is what a file or an upload holds, as the pieces it was written in: never the bytes.
type content []piece

// piece is the first n bytes that seed decides. They are words of 8 bytes of which no two are equal, so
// that bytes in the wrong place differ from those that belong there.
type piece struct {
	seed uint64
	n    int64
}

const wordSize = 8

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014), a bijection.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// word is the i-th word of what seed decides. The seed is spread first: those of a script follow one
// another, and contents must not be shifts of one another.
func word(seed uint64, i int64) uint64 { return mix(mix(^seed) + (uint64(i)+1)*0x9e3779b97f4a7c15) }

// fill puts into b what stands in the piece at offset.
func (p piece) fill(b []byte, offset int64) {
	var w [wordSize]byte
	for len(b) > 0 {
		binary.LittleEndian.PutUint64(w[:], word(p.seed, offset/wordSize))
		n := copy(b, w[offset%wordSize:])
		b, offset = b[n:], offset+int64(n)
	}
}

// reader gives the piece's bytes.
func (p piece) reader() io.Reader { return content{p}.reader() }

func (c content) size() int64 {
	var n int64
	for _, p := range c {
		n += p.n
	}
	return n
}

// with returns c followed by p; c is left as it is.
func (c content) with(p piece) content {
	if p.n == 0 {
		return c
	}
	return append(c[:len(c):len(c)], p)
}

// join returns c followed by d.
func (c content) join(d content) content { return append(c[:len(c):len(c)], d...) }

// prefix returns the first n bytes of c, which has as many.
func (c content) prefix(n int64) content {
	var out content
	for _, p := range c {
		if n == 0 {
			break
		}
		p.n = min(p.n, n)
		n -= p.n
		out = out.with(p)
	}
	return out
}

// same reports whether c and d are the same bytes. Contents are only made of pieces by writing and by
// taking prefixes, so equal bytes are equal pieces.
func (c content) same(d content) bool {
	if len(c) != len(d) {
		return false
	}
	for i := range c {
		if c[i] != d[i] {
			return false
		}
	}
	return true
}

func (c content) reader() io.Reader { return &contentReader{rest: c} }

type contentReader struct {
	rest content
	at   int64 // in the first of rest
}

func (r *contentReader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) && len(r.rest) > 0 {
		m := int(min(int64(len(b)-n), r.rest[0].n-r.at))
		r.rest[0].fill(b[n:n+m], r.at)
		n, r.at = n+m, r.at+int64(m)
		if r.at == r.rest[0].n {
			r.rest, r.at = r.rest[1:], 0
		}
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// from returns a reader of c from offset on, which is not beyond its end.
func (c content) from(offset int64) io.Reader {
	for len(c) > 0 && offset >= c[0].n {
		offset -= c[0].n
		c = c[1:]
	}
	return &contentReader{rest: c, at: offset}
}

// verifyBytes returns an error unless got is what c has from offset on, as far as got goes.
func (c content) verifyBytes(got []byte, offset int64) error {
	if offset+int64(len(got)) > c.size() {
		return fmt.Errorf("at least %d bytes instead of %d", offset+int64(len(got)), c.size())
	}
	want := make([]byte, len(got))
	if _, err := io.ReadFull(c.from(offset), want); err != nil {
		return err
	}
	if bytes.Equal(got, want) {
		return nil
	}
	i := 0
	for got[i] == want[i] {
		i++
	}
	return fmt.Errorf("other bytes from offset %d of %d on: %x instead of %x", offset+int64(i), c.size(), got[i:min(i+8, len(got))], want[i:min(i+8, len(want))])
}

// verify reads r to its end and returns an error unless it gives exactly c from offset on. The second
// result is an error of r.
func (c content) verify(r io.Reader, offset int64) (wrong, failed error) {
	buf := make([]byte, 64<<10)
	for at := offset; ; {
		n, err := r.Read(buf)
		if wrong := c.verifyBytes(buf[:n], at); wrong != nil {
			return wrong, nil
		}
		at += int64(n)
		switch {
		case err == io.EOF && at != c.size():
			return fmt.Errorf("%d bytes instead of %d", at-offset, c.size()-offset), nil
		case err == io.EOF:
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
}

// String says what c is made of.
func (c content) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d bytes", c.size())
	for i, p := range c {
		if i == 0 {
			b.WriteString(" (")
		} else {
			b.WriteString(" + ")
		}
		fmt.Fprintf(&b, "%d of seed %d", p.n, p.seed)
	}
	if len(c) > 0 {
		b.WriteString(")")
	}
	return b.String()
}
