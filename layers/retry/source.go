package retry

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// send runs a call with a body, which is opened again for each attempt. A body that cannot be opened, or
// breaks for good, ends the attempts: what failed is not the call, and if it was a read of this driver, it
// has been repeated already. When it only says that it cannot be read again, the error is that of the first
// attempt.
func (b *backend) send(ctx context.Context, body storagedriver.Source, f func(storagedriver.Source) error) error {
	if body == nil {
		return b.change(ctx, func(int) error { return f(nil) })
	}
	if !b.idempotent {
		return f(body)
	}
	var first error
	return b.do(ctx, func(attempt int) error {
		watched := &watchedSource{Source: body}
		err := f(watched)
		if attempt == 1 {
			first = err
		}
		switch {
		case err == nil || !watched.failed.Load():
			return err
		case watched.spent.Load():
			return &finalError{first}
		}
		return &finalError{err}
	})
}

// watchedSource notes that another attempt would not have it whole either.
type watchedSource struct {
	storagedriver.Source
	failed atomic.Bool
	spent  atomic.Bool // it said that it cannot be read again
}

// Open implements storagedriver.Source.
func (s *watchedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	body, err := s.Source.Open(ctx)
	if err != nil {
		s.failed.Store(true)
		s.spent.Store(isSpent(err))
		return nil, err
	}
	w := &watchedBody{body, s}
	if from, ok := body.(io.WriterTo); ok {
		return &watchedWriterTo{w, from}, nil
	}
	return w, nil
}

// noted looks at an error of the body itself.
func (s *watchedSource) noted(err error) {
	if !storagedriver.IsTemporary(err) || errors.As(err, new(*exhaustedError)) {
		s.failed.Store(true)
		s.spent.Store(isSpent(err))
	}
}

// isSpent reports whether err is that of a source which can be read once.
func isSpent(err error) bool {
	kind := storagedriver.KindOf(err)
	return kind == storagedriver.KindClosed || kind == storagedriver.KindUnsupported
}

type watchedBody struct {
	io.ReadCloser
	source *watchedSource
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.source.noted(err)
	}
	return n, err
}

// watchedWriterTo is a body that writes itself.
type watchedWriterTo struct {
	*watchedBody
	from io.WriterTo
}

// WriteTo implements io.WriterTo.
func (b *watchedWriterTo) WriteTo(w io.Writer) (int64, error) {
	to := &target{Writer: w}
	n, err := b.from.WriteTo(to)
	if err != nil && !to.failed {
		b.source.noted(err)
	}
	return n, err
}

// target notes that it failed, and not the body that is written to it.
type target struct {
	io.Writer
	failed bool
}

func (t *target) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	t.failed = t.failed || err != nil || n < len(p)
	return n, err
}

// tail is a suspended upload's.
type tail struct {
	storagedriver.Source
	retrier *retrier
}

// Open implements storagedriver.Source.
func (t tail) Open(ctx context.Context) (io.ReadCloser, error) {
	return answered(ctx, t.retrier, func() (io.ReadCloser, error) { return t.Source.Open(ctx) })
}
