package chunked

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/semaphore"
)

// DefaultBudgetSize is the size of [DefaultBudget] in bytes: 32 writers of one default
// part each, or 8 with all their parts in flight.
const DefaultBudgetSize = 256 << 20

// Budget bounds the memory of all writers that share it. Each writer is admitted with
// one buffer, in the order of asking; further buffers it gets only when they are free
// at once and nobody waits. A Budget may be used concurrently.
//
// Buffers lie outside of Go's heap where the system allows: in it, they would let the collector
// wait until as much garbage as they have bytes has come together. Those that are free are kept
// for half a minute.
type Budget struct {
	size  int64
	sem   *semaphore.Weighted
	inUse atomic.Int64

	mu    sync.Mutex
	free  []*buffer // released, the longest ago first; together with those in use within size
	spare int64     // bytes of free
	used  time.Time // when one was last released
	timer *time.Timer
}

// keepFree is how long buffers that nobody uses are kept: pushes come in bursts, and memory
// that was given back has to be zeroed by the system before it is had again.
const keepFree = 30 * time.Second

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
	inUse := b.inUse.Add(size)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, buf := range slices.Backward(b.free) {
		if int64(cap(buf.data)) == size {
			b.free = slices.Delete(b.free, i, i+1)
			b.spare -= size
			return buf
		}
	}
	n := 0
	for ; n < len(b.free) && inUse+b.spare > b.size; n++ {
		b.spare -= int64(cap(b.free[n].data))
		b.free[n].unmap()
	}
	b.free = slices.Delete(b.free, 0, n)
	return newBuffer(size)
}

// release takes the buffer back. Sources over it must have been withdrawn; it counts as in use until
// the last Write of its bytes has ended.
func (b *Budget) release(buf *buffer) {
	if buf.inWrite() {
		go func() {
			buf.writes.Lock()
			buf.writes.Unlock() //nolint:staticcheck // to have waited is all
			b.takeBack(buf)
		}()
		return
	}
	b.takeBack(buf)
}

func (b *Budget) takeBack(buf *buffer) {
	size := int64(cap(buf.data))
	b.mu.Lock()
	// Another buffer than the one that was lent: who still holds that has no way to its bytes.
	b.free = append(b.free, &buffer{data: buf.data[:0], mapped: buf.mapped})
	buf.data = nil
	b.spare += size
	b.used = time.Now()
	if b.timer == nil {
		b.timer = time.AfterFunc(keepFree, b.trim)
	}
	b.mu.Unlock()
	b.inUse.Add(-size)
	b.sem.Release(size)
}

// trim gives free buffers back to the system when none has been released for keepFree.
func (b *Budget) trim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer = nil
	if len(b.free) == 0 {
		return
	}
	if left := keepFree - time.Since(b.used); left > 0 {
		b.timer = time.AfterFunc(left, b.trim)
		return
	}
	for _, buf := range b.free {
		buf.unmap()
	}
	b.free, b.spare = nil, 0
}
