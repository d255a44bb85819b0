package observe

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// body is what a backend gave to be read. Its call ends when it is closed, which may be while
// another goroutine reads.
type body struct {
	io.ReadCloser
	watch Watch

	bytes atomic.Int64
	mu    sync.Mutex
	err   error // the first that reading met
	ended bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	if err != nil && err != io.EOF {
		b.fail(err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.mu.Lock()
	first := !b.ended
	b.ended = true
	if first && b.err == nil {
		b.err = err
	}
	result := Result{Read: b.bytes.Load(), Err: b.err}
	b.mu.Unlock()
	if first {
		b.watch.ended(result)
	}
	return err
}

func (b *body) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
}

// counter is a source that counts what is read of it, all its readers together.
type counter struct {
	storagedriver.Source
	n atomic.Int64
}

// count returns a counter of s, which may be nil.
func count(s storagedriver.Source) *counter { return &counter{Source: s} }

// source returns what to hand on: nil if there was no source.
func (c *counter) source() storagedriver.Source {
	if c.Source == nil {
		return nil
	}
	return c
}

func (c *counter) bytes() int64 { return c.n.Load() }

func (c *counter) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := c.Source.Open(ctx)
	if err != nil {
		return r, err
	}
	b := countedBody{ReadCloser: r, n: &c.n}
	if w, ok := r.(io.WriterTo); ok {
		return &countedMemory{countedBody: b, from: w}, nil
	}
	return &b, nil
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// countedMemory is a countedBody that is written in one piece, as it is without this layer.
type countedMemory struct {
	countedBody
	from io.WriterTo
}

func (b *countedMemory) WriteTo(w io.Writer) (int64, error) {
	n, err := b.from.WriteTo(w)
	b.n.Add(n)
	return n, err
}
