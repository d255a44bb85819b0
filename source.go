package storagedriver

import (
	"bytes"
	"context"
	"io"
)

// Source is a body of known length that can be opened more than once, which is what
// makes a request repeatable. Implementations are safe for concurrent use.
type Source interface {
	// Size is the exact number of bytes Open's reader gives.
	Size() int64
	// Open returns a reader from the first byte. Readers of one Source are
	// independent. The caller closes the reader; ctx governs it until then.
	Open(ctx context.Context) (io.ReadCloser, error)
}

// BytesSource is a Source over memory. The bytes must not change while it is in use.
type BytesSource []byte

// Size implements Source.
func (b BytesSource) Size() int64 { return int64(len(b)) }

// Open implements Source. The reader is also an io.Seeker, an io.ReaderAt and an io.WriterTo.
func (b BytesSource) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return bytesBody{bytes.NewReader(b)}, nil
}

type bytesBody struct{ *bytes.Reader }

func (bytesBody) Close() error { return nil }

// JoinSources returns the sources one after another as one Source. Each is opened when
// it is reached and closed when it ends, so at most one is open at a time. A source
// that gives fewer or more bytes than its Size is KindCorrupt.
func JoinSources(sources ...Source) Source {
	return joined(sources)
}

type joined []Source

func (j joined) Size() int64 {
	var n int64
	for _, s := range j {
		n += s.Size()
	}
	return n
}

func (j joined) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &joinedBody{ctx: ctx, rest: j}, nil
}

type joinedBody struct {
	ctx    context.Context
	rest   joined
	open   io.ReadCloser
	closed bool
}

func (b *joinedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.closed {
		return 0, NewError(KindClosed, "the body was closed")
	}
	for {
		if b.open == nil {
			if len(b.rest) == 0 {
				return 0, io.EOF
			}
			r, err := b.rest[0].Open(b.ctx)
			if err != nil {
				return 0, err
			}
			b.open, b.rest = ExactBody(r, b.rest[0].Size()), b.rest[1:]
		}
		n, err := b.open.Read(p)
		if err == io.EOF {
			err = b.open.Close()
			b.open = nil
			if n == 0 && err == nil {
				continue
			}
		}
		return n, err
	}
}

func (b *joinedBody) Close() error {
	b.rest, b.closed = nil, true
	if b.open == nil {
		return nil
	}
	err := b.open.Close()
	b.open = nil
	return err
}

// SizedReader is a reader that knows how much there is to read. What StorageDriver.Reader returns may be one, which saves
// those who have to tell a length before they read two Stats and a doubt; the drivers that layers.Complete makes return one.
type SizedReader interface {
	io.ReadCloser

	// Size returns the bytes from where it was opened to the end of the content, however many have been read. It is constant,
	// also once the reader is closed, and what a Read that ends with io.EOF has held.
	Size() int64
}

// ExactBody returns r, limited to what was promised: a body that ends before size bytes
// or goes on after them ends with KindCorrupt instead of io.EOF. Closing it closes r.
func ExactBody(r io.ReadCloser, size int64) io.ReadCloser {
	b := &exactBody{r: r, want: size, left: size}
	if size < 0 {
		b.err = Errorf(KindCorrupt, "a body of %d bytes was promised", size)
	}
	return b
}

type exactBody struct {
	r    io.ReadCloser
	want int64
	left int64
	err  error // what every further Read answers
}

func (b *exactBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.left == 0 {
		b.err = b.atEnd()
		return 0, b.err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		b.err = Errorf(KindCorrupt, "the body ended after %d of %d bytes", b.want-b.left, b.want)
	case err == io.EOF:
		b.err = io.EOF
	case err != nil:
		b.err = err
	case b.left == 0 && n > 0:
		// The end is looked at now, so that a reader who stops at the promised
		// length has its verdict together with the last bytes.
		b.err = b.atEnd()
	}
	return n, b.err
}

// atEnd tells a body that ends where it should from one that runs on.
func (b *exactBody) atEnd() error {
	var one [1]byte
	for {
		n, err := b.r.Read(one[:])
		if n > 0 {
			return Errorf(KindCorrupt, "the body goes on after the promised %d bytes", b.want)
		}
		if err != nil {
			return err
		}
	}
}

func (b *exactBody) Close() error { return b.r.Close() }
