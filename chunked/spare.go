package chunked

import "context"

// Spare is memory of a Budget for those that can do without it, such as a read-ahead. See [Budget.TrySpare].
type Spare struct {
	budget *Budget
	buf    *buffer
}

// TrySpare returns size bytes, and never waits for them: it returns nil when they are not free at once, when a writer waits, or
// when more than half of the budget would be lent as spares. So writers share one half at least, however long spares
// are kept; only a part that is larger than that may have to wait for one. What is called for a writer above it draws on the same
// reserve as a writer under ctx.
func (b *Budget) TrySpare(ctx context.Context, size int64) *Spare {
	if size < 1 {
		return nil
	}
	b = b.of(ctx)
	if b.spares.Add(size) <= b.size/2 {
		if buf := b.tryAcquire(size); buf != nil {
			return &Spare{budget: b, buf: buf}
		}
	}
	b.spares.Add(-size)
	return nil
}

// Bytes returns the memory, with whatever was in it before.
func (s *Spare) Bytes() []byte { return s.buf.data[:cap(s.buf.data)] }

// Release gives the memory back, once. Nobody may touch its bytes any more: they may not be mapped.
func (s *Spare) Release() {
	size := int64(cap(s.buf.data))
	s.budget.release(s.buf)
	s.budget.spares.Add(-size)
}
