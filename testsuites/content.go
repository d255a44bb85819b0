package testsuites

import (
	"encoding/binary"
	"fmt"
	"io"
)

// content is size bytes that seed decides. It is made of words of 8 bytes; as word is a bijection
// of the index, no two words of one content are equal, and a word tells where it belongs.
type content struct {
	seed uint64
	size int64
}

// The constants of splitmix64 (Steele, Lea, Flood 2014), and their inverses modulo 2^64.
const (
	gamma, gammaInverse = 0x9e3779b97f4a7c15, 0xf1de83e19937733d
	mul1, mul1Inverse   = 0xbf58476d1ce4e5b9, 0x96de1b173f119089
	mul2, mul2Inverse   = 0x94d049bb133111eb, 0x319642b2d24d8ec3
)

const wordSize = 8

// mix is splitmix64's finalizer, a bijection.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * mul1
	z = (z ^ z>>27) * mul2
	return z ^ z>>31
}

func (c content) word(i int64) uint64 { return mix(c.seed + (uint64(i)+1)*gamma) }

// indexOf is the inverse of word.
func (c content) indexOf(word uint64) int64 {
	z := word
	z = (z ^ z>>31 ^ z>>62) * mul2Inverse
	z = (z ^ z>>27 ^ z>>54) * mul1Inverse
	z = z ^ z>>30 ^ z>>60
	return int64((z-c.seed)*gammaInverse) - 1
}

// fill puts into p what stands at offset, whatever the size.
func (c content) fill(p []byte, offset int64) {
	var word [wordSize]byte
	if skip := offset % wordSize; skip != 0 {
		binary.LittleEndian.PutUint64(word[:], c.word(offset/wordSize))
		n := copy(p, word[skip:])
		p, offset = p[n:], offset+int64(n)
	}
	i := offset / wordSize
	for ; len(p) >= wordSize; i++ {
		binary.LittleEndian.PutUint64(p, c.word(i))
		p = p[wordSize:]
	}
	if len(p) > 0 {
		binary.LittleEndian.PutUint64(word[:], c.word(i))
		copy(p, word[:])
	}
}

// bytes returns the whole content.
func (c content) bytes() []byte { return c.slice(0, c.size) }

// slice returns the bytes from offset from to offset to.
func (c content) slice(from, to int64) []byte {
	p := make([]byte, to-from)
	c.fill(p, from)
	return p
}

// verify reads r to its end and returns an error unless it gives exactly the content from
// offset from on.
func (c content) verify(r io.Reader, from int64) error {
	got, want := make([]byte, 64<<10), make([]byte, 64<<10)
	at := from
	for {
		n, err := r.Read(got)
		if at+int64(n) > c.size {
			return fmt.Errorf("want %d bytes, got at least %d", c.size-from, at+int64(n)-from)
		}
		c.fill(want[:n], at)
		if i := firstDifference(got[:n], want[:n]); i >= 0 {
			return fmt.Errorf("want other bytes from offset %d of %d on%s", at+int64(i), c.size, c.origin(got[:n], at, i))
		}
		at += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading at offset %d of %d: %w", at, c.size, err)
		}
	}
	if at != c.size {
		return fmt.Errorf("want %d bytes, got %d", c.size-from, at-from)
	}
	return nil
}

// verifyBytes is verify of what is in memory.
func (c content) verifyBytes(p []byte) error {
	if int64(len(p)) != c.size {
		return fmt.Errorf("want %d bytes, got %d", c.size, len(p))
	}
	if i := firstDifference(p, c.bytes()); i >= 0 {
		return fmt.Errorf("want other bytes from offset %d of %d on%s", i, c.size, c.origin(p, 0, i))
	}
	return nil
}

// origin says where the wrong bytes in p, which was read at offset at, belong, if that can be told.
func (c content) origin(p []byte, at int64, wrong int) string {
	for shift := range wordSize {
		i := wrong + shift
		if i+wordSize > len(p) {
			break
		}
		index := c.indexOf(binary.LittleEndian.Uint64(p[i:]))
		if index >= 0 && index < (c.size+wordSize-1)/wordSize {
			return fmt.Sprintf(": at offset %d are the bytes of offset %d", at+int64(i), index*wordSize)
		}
	}
	return ""
}

func firstDifference(a, b []byte) int {
	if string(a) == string(b) {
		return -1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
