package egress

import (
	"fmt"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// watcher knows the exchanges that have not ended, and ends those that make no progress.
// One timer serves them all, and a client that is used more often than it fires sets none.
type watcher struct {
	every time.Duration // the timer fires so often while there are exchanges

	mu     sync.Mutex
	first  *exchange // of a list linked both ways, in no order
	timer  *time.Timer
	set    bool // the timer is going to fire
	closed bool
}

// ticks is how many times the timer fires within the shortest limit: what ends for lack of
// progress does so within its limit and a quarter.
const ticks = 8

// setLimits is called once, before the first exchange.
func (w *watcher) setLimits(limits ...time.Duration) {
	w.every = limits[0]
	for _, l := range limits {
		w.every = min(w.every, l)
	}
	w.every = max(w.every/ticks, time.Millisecond)
}

// add begins to watch x.
func (w *watcher) add(x *exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.next = w.first; x.next != nil {
		x.next.prev = x
	}
	w.first, x.watched = x, true
	if x.held && w.closed {
		x.cancel(errClientClosed)
	}
	if !w.set {
		w.set = true
		w.timer = time.AfterFunc(w.every, w.tick)
	}
}

// remove may be called more than once.
func (w *watcher) remove(x *exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(x)
}

func (w *watcher) unlink(x *exchange) {
	if !x.watched {
		return
	}
	x.watched = false
	if x.next != nil {
		x.next.prev = x.prev
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		w.first = x.next
	}
	x.prev, x.next = nil, nil
}

func (w *watcher) tick() {
	var stuck []*exchange
	w.mu.Lock()
	for x := w.first; x != nil; {
		next := x.next
		switch {
		case x.ctx.Err() != nil: // also when nobody ever closes the body
			w.unlink(x)
		case x.isStuck(w.every):
			stuck = append(stuck, x)
			w.unlink(x)
		}
		x = next
	}
	if w.set = w.first != nil; w.set {
		w.timer.Reset(w.every)
	}
	w.mu.Unlock()
	for _, x := range stuck {
		x.cancel(&storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: fmt.Errorf("%s made no progress for %v", x.grant.origin, x.limit())})
	}
}

// hold makes close end x. After close it is false.
func (w *watcher) hold(x *exchange) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.held = !w.closed
	return x.held
}

// close ends what is held. The others end by themselves, and the timer after them.
func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for x := w.first; x != nil; x = x.next {
		if x.held {
			x.cancel(errClosed)
		}
	}
	if w.first == nil && w.set {
		w.set = !w.timer.Stop()
	}
}
