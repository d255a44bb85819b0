package timeout

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// watchedSource is what a call sends: that it is read is a sign of life.
type watchedSource struct {
	storagedriver.Source
	watch *watch
	first bound // of the clock while it is read
	last  bound // of the clock once all has been read
}

// Open implements storagedriver.Source.
func (s *watchedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	s.watch.start(s.first) // again, if a driver repeats what it sends
	return &watchedBody{r, s, s.Size()}, nil
}

type watchedBody struct {
	io.ReadCloser
	source *watchedSource
	left   int64
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left <= 0 || err == io.EOF:
		b.source.watch.start(b.source.last)
	case n > 0:
		b.source.watch.moved()
	}
	return n, err
}

// tail is a suspended upload's: it is read like the body of a Read.
type tail struct {
	storagedriver.Source
	b *backend
}

// Open implements storagedriver.Source.
func (t tail) Open(ctx context.Context) (io.ReadCloser, error) {
	first := t.b.operation
	if first.limit == 0 {
		first = t.b.progress
	}
	if first.limit == 0 {
		return t.Source.Open(ctx)
	}
	w := newWatch(ctx, first)
	r, err := t.Source.Open(w.ctx)
	if err != nil {
		w.end()
		return nil, w.explain(err)
	}
	w.pause()
	return t.b.watched(r, w), nil
}
