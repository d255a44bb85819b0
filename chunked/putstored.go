package chunked

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// maxOpened is how many stored files PutStored opens beforehand. Each holds a connection
// that waits for its turn: half of what a server that has a process for each usually allows.
const maxOpened = 64

// PutStored puts at path the content of sources, in order, some of which are files of b.
// They are opened when they are reached.
//
// A backend that runs one call at a time (a guest that keeps its state in one instance)
// cannot open them then: the call that would is to feed the one that runs, and is
// KindUnsupported. For such a backend the put is repeated with all sources opened before it, which
// is KindUnsupported for more than 64.
func PutStored(ctx context.Context, b storagedriver.Backend, path string, sources ...storagedriver.Source) error {
	var refused atomic.Bool
	watched := make([]storagedriver.Source, len(sources))
	for i, s := range sources {
		watched[i] = watchedSource{s, &refused}
	}
	err := b.Put(storagedriver.WithSourceReads(ctx, 1), path, storagedriver.JoinSources(watched...))
	if err == nil || !refused.Load() || ctx.Err() != nil {
		return err
	}
	if len(sources) > maxOpened {
		return storagedriver.Errorf(storagedriver.KindUnsupported,
			"the driver cannot read while it puts, so that at most %d segments are joined, opened beforehand; there are %d (a driver that declares concat or parts has no such limit): %w",
			maxOpened, len(sources), err)
	}
	return putOpened(ctx, b, path, sources)
}

// watchedSource notes that it could not be opened because the backend does not do that.
type watchedSource struct {
	storagedriver.Source
	refused *atomic.Bool
}

// Open implements storagedriver.Source.
func (s watchedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	body, err := s.Source.Open(ctx)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		s.refused.Store(true)
	}
	return body, err
}

func putOpened(ctx context.Context, b storagedriver.Backend, path string, sources []storagedriver.Source) error {
	ctx = storagedriver.WithSourceReads(ctx, len(sources))
	opened := make([]storagedriver.Source, 0, len(sources))
	defer func() {
		for _, s := range opened {
			s.(*openedSource).drop()
		}
	}()
	for _, s := range sources {
		body, err := s.Open(ctx)
		if err != nil {
			return err
		}
		opened = append(opened, &openedSource{size: s.Size(), body: body})
	}
	return b.Put(ctx, path, storagedriver.JoinSources(opened...))
}

// openedSource is a Source that has been opened already, and can be read once.
type openedSource struct {
	size int64

	mu   sync.Mutex
	body io.ReadCloser // nil once it was taken
}

// Size implements storagedriver.Source.
func (s *openedSource) Size() int64 { return s.size }

// Open implements storagedriver.Source.
func (s *openedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body := s.body
	if body == nil {
		return nil, storagedriver.NewError(storagedriver.KindClosed, "a stored segment can be read once by a driver that cannot read while it puts")
	}
	s.body = nil
	return body, nil
}

// drop closes the body if nobody has taken it.
func (s *openedSource) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body != nil {
		_ = s.body.Close() // nothing of it was read
		s.body = nil
	}
}
