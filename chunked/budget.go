package chunked

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/nesting"
	"golang.org/x/sync/semaphore"
)

// DefaultBudgetSize is the size of [DefaultBudget] in bytes: 32 writers of one default
// part each, or 8 with all their parts in flight.
const DefaultBudgetSize = 256 << 20

// Budget bounds the memory of all writers that share it. Each writer is admitted with
// one buffer, in the order of asking; further buffers it gets only when they are free
// at once and nobody waits. Who can do without memory gets what writers leave: see
// [Budget.TrySpare]. A Budget may be used concurrently.
//
// A writer that works for a writer above it, behind a store that a guest was granted, draws on a reserve: those of each depth
// have one, which is as large again as the budget and made when the first of them comes. What reads for a call of its own
// driver has another (see package nesting). So nobody waits for what is held by those that wait for it: the writer above keeps its
// buffer while the one below waits for one. They are as large so that a depth admits as many writers, and cuts
// uploads into the same parts, as any other: an upload may go on at another depth. All in all it is the budget
// for writers that are called directly, and as much for each depth of granted stores that is in use.
//
// Buffers lie outside of Go's heap where the system allows: in it, they would let the collector
// wait until as much garbage as they have bytes has come together. Those that are free are kept
// for half a minute.
type Budget struct {
	size   int64
	sem    *semaphore.Weighted
	inUse  atomic.Int64
	spares atomic.Int64 // bytes lent by TrySpare

	mu    sync.Mutex
	free  []*buffer // released, the longest ago first; together with those in use within size
	spare int64     // bytes of free
	used  time.Time // when one was last released
	timer *time.Timer

	reserves map[int]*Budget // by nesting.Reserve, but 0
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

// of returns what a writer under ctx draws on: the budget, or one of its reserves.
func (b *Budget) of(ctx context.Context) *Budget {
	n := nesting.Reserve(ctx)
	if n == 0 {
		return b
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.reserves[n]
	if r == nil {
		if b.reserves == nil {
			b.reserves = map[int]*Budget{}
		}
		r = NewBudget(b.size)
		b.reserves[n] = r
	}
	return r
}

// Size returns the most bytes that may be in use, without those of reserves.
func (b *Budget) Size() int64 { return b.size }

// InUse returns how many bytes are in use, with those of reserves.
func (b *Budget) InUse() int64 {
	n := b.inUse.Load()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.reserves {
		n += r.inUse.Load()
	}
	return n
}

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
