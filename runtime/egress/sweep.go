package egress

import (
	"sync"
	"sync/atomic"
	"time"
)

// sweepTime is how long after the first exchange has ended the connections that are idle then are closed; the next
// one begins anew. net/http's own limit sets and stops a timer for each request.
const sweepTime = 90 * time.Second

// sweep closes idle connections now and then, so that those of a busy hour do not stay.
type sweep struct {
	close func() // of the connections that are idle

	set     atomic.Bool // the timer is going to fire
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// start is called when an exchange has ended, so that no connection is idle without the timer.
func (s *sweep) start() {
	if s.set.Load() || s.set.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.timer = time.AfterFunc(sweepTime, s.run)
	}
}

func (s *sweep) run() {
	s.set.Store(false)
	s.close()
}

// stop ends it for good.
func (s *sweep) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
