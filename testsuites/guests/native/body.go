package native

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// body is the content that a driver answered with: no more of the response than it promised.
type body struct {
	b    *backend
	r    io.ReadCloser
	left int64
}

// hold has Close end r.
func (b *backend) hold(r *body) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = r.r.Close() // the driver's end is the error to tell
		return nil, storagedriver.NewError(storagedriver.KindClosed, "the driver has been closed")
	}
	b.held[r] = struct{}{}
	return r, nil
}

func (r *body) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.r.Read(p)
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *body) Close() error {
	r.b.mu.Lock()
	delete(r.b.held, r)
	r.b.mu.Unlock()
	return r.r.Close()
}

// classified is a body whose errors are made the root package's.
type classified struct{ io.ReadCloser }

func (c classified) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != io.EOF {
		err = wrap(err)
	}
	return n, err
}

// once is a Source over a body that is already open. It is closed when ctx ends, opened or not.
type once struct {
	size   int64
	r      io.ReadCloser
	opened atomic.Bool
}

func newOnce(ctx context.Context, r io.ReadCloser, size int64) *once {
	context.AfterFunc(ctx, func() { _ = r.Close() }) // nobody is left to hear of it
	return &once{size: size, r: r}
}

// Size implements storagedriver.Source.
func (o *once) Size() int64 { return o.size }

// Open implements storagedriver.Source.
func (o *once) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.opened.Swap(true) {
		return nil, storagedriver.NewError(storagedriver.KindUnavailable, "the body of a response can be opened once")
	}
	return o.r, nil
}
