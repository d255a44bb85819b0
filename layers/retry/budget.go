package retry

import "sync"

// refund is how many successful calls give back what one repeat takes: while a backend is in trouble
// for long, repeats add at most a tenth to what it is asked.
const refund = 10

// budget bounds the share of repeats. A bound on attempts alone multiplies the load on a backend
// that fails because it is overloaded. It may be used concurrently.
type budget struct {
	mu         sync.Mutex
	left, most int // in parts of a repeat: refund of them make one
}

func newBudget(repeats int) *budget { return &budget{left: repeats * refund, most: repeats * refund} }

// take takes a repeat, and reports whether there was one.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < refund {
		return false
	}
	b.left -= refund
	return true
}

// succeeded notes a call that succeeded.
func (b *budget) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+1, b.most)
}
