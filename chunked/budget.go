package chunked

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/semaphore"
)

// DefaultBudgetSize is the size of [DefaultBudget] in bytes: 32 writers of one default
// part each, or 8 with all their parts in flight.
const DefaultBudgetSize = 256 << 20

// Budget bounds the memory of all writers that share it. Each writer is admitted with
// one buffer, in the order of asking; further buffers it gets only when they are free
// at once and nobody waits. A Budget may be used concurrently.
type Budget struct {
	size  int64
	sem   *semaphore.Weighted
	inUse atomic.Int64
	free  sync.Pool // *[]byte of released buffers
}

// NewBudget returns a Budget of so many bytes; less than one is taken as one.
func NewBudget(bytes int64) *Budget {
	bytes = max(bytes, 1)
	return &Budget{size: bytes, sem: semaphore.NewWeighted(bytes)}
}

var defaultBudget = sync.OnceValue(func() *Budget { return NewBudget(DefaultBudgetSize) })

// DefaultBudget returns the budget of the process, which every writer without one of
// its own draws on. It is the bound on memory that an operator relies on, hence one.
func DefaultBudget() *Budget { return defaultBudget() }

// Size returns the most bytes that may be in use.
func (b *Budget) Size() int64 { return b.size }

// InUse returns how many bytes are in use.
func (b *Budget) InUse() int64 { return b.inUse.Load() }

// acquire returns a buffer of size bytes. It waits its turn until ctx ends.
func (b *Budget) acquire(ctx context.Context, size int64) (*buffer, error) {
	if size > b.size {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "a part of %d bytes does not fit the memory budget of %d bytes", size, b.size)
	}
	if err := b.sem.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return b.buffer(size), nil
}

// tryAcquire returns a buffer of size bytes, or nil when it is not free at once.
func (b *Budget) tryAcquire(size int64) *buffer {
	if !b.sem.TryAcquire(size) {
		return nil
	}
	return b.buffer(size)
}

func (b *Budget) buffer(size int64) *buffer {
	b.inUse.Add(size)
	if p, ok := b.free.Get().(*[]byte); ok && int64(cap(*p)) == size {
		return &buffer{data: (*p)[:0]}
	}
	return &buffer{data: make([]byte, 0, size)}
}

// release takes the buffer back. Sources over it must have been withdrawn.
func (b *Budget) release(buf *buffer) {
	data := buf.data
	buf.data = nil
	size := int64(cap(data))
	b.free.Put(&data)
	b.inUse.Add(-size)
	b.sem.Release(size)
}
