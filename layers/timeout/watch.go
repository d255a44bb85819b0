package timeout

import (
	"context"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// bound is a deadline as it is configured.
type bound struct {
	key   string
	limit time.Duration // 0: none
	what  string        // what did not happen in that time
}

func (b bound) err() error {
	return &storagedriver.Error{
		Kind: storagedriver.KindDeadline, Temporary: true,
		Err: storagedriver.Errorf(storagedriver.KindUnknown, "%s for %v (layers.timeout.%s)", b.what, b.limit, b.key).Err,
	}
}

// watch ends a call's context when its bound passes. Its methods may be called concurrently.
type watch struct {
	caller context.Context
	ctx    context.Context // the call's
	cancel context.CancelFunc

	mu      sync.Mutex
	bound   bound
	timer   *time.Timer // nil: none runs
	begin   int         // of the timer that counts
	expired error
	ended   bool
}

// newWatch starts the clock. The caller ends it.
func newWatch(ctx context.Context, b bound) *watch {
	w := &watch{caller: ctx}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.start(b)
	return w
}

// start has the clock begin again, with b.
func (w *watch) start(b bound) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound = b
	w.restart()
}

// moved notes a byte, or another sign of life.
func (w *watch) moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restart()
}

// pause stops the clock until the next start.
func (w *watch) pause() { w.start(bound{}) }

// restart is called with w.mu held.
func (w *watch) restart() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.bound.limit == 0 || w.ended || w.expired != nil {
		return
	}
	w.begin++
	begin := w.begin
	w.timer = time.AfterFunc(w.bound.limit, func() { w.expire(begin) })
}

func (w *watch) expire(begin int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if begin != w.begin || w.timer == nil || w.ended {
		return // something moved meanwhile
	}
	w.expired = w.bound.err()
	w.cancel()
}

// end stops the clock and releases the context.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.restart()
	w.cancel()
}

// explain returns what a call's error means: a deadline of ours, if one has passed, unless the
// caller's context has ended as well.
func (w *watch) explain(err error) error {
	if err == nil || w.caller.Err() != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired != nil {
		return w.expired
	}
	return err
}
