package faultloop

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers/fault"
)

// run is one run of a scenario.
type run struct {
	base          context.Context
	loop          *loop
	dir           string // everything is below it
	faulty, clean storagedriver.StorageDriver
	rules         fault.Rules
	handles       *handles
	budget        *chunked.Budget
	partSize      int

	seen int64 // requests of the storage, where that is what fails
	need int64 // the one that fails
}

// problem ends a run.
type problem string

// check ends the run unless ok.
func (r *run) check(ok bool, format string, args ...any) {
	if !ok {
		panic(problem(fmt.Sprintf(format, args...)))
	}
}

func (r *run) must(err error, format string, args ...any) {
	r.check(err == nil, "%s: %v", fmt.Sprintf(format, args...), err)
}

// whole prepares, acts, checks what is owed at the end of any run, and cleans up. It returns what
// was wrong.
func (r *run) whole(n int64) (wrong string) {
	defer func() {
		if p := recover(); p != nil {
			text, ok := p.(problem)
			if !ok {
				panic(p)
			}
			wrong = string(text)
		}
	}()
	keep := r.content("keep", 3)
	r.must(r.clean.PutContent(r.base, r.path("keep"), keep), "preparing")
	r.loop.scenario.prepare(r)
	r.act(n)
	r.wantContent("keep", keep)
	r.check(r.budget.InUse() == 0, "%d bytes of the memory budget are still in use", r.budget.InUse())
	r.check(r.handles.open.Load() == 0, "%d bodies are still open", r.handles.open.Load())
	r.must(r.clean.Delete(r.base, r.dir), "Delete of all at the end")
	r.wantNothing(r.dir)
	return ""
}

// act has the storage fail while the scenario acts, if that is what fails.
func (r *run) act(n int64) {
	if inject := r.loop.way.inject; inject != nil {
		r.need = n
		undo := inject(n)
		defer func() { r.seen = undo() }()
	}
	r.loop.scenario.act(r)
}

// fired reports whether anything failed; of a storage's requests it is known after the run.
func (r *run) fired() bool {
	for _, rule := range r.rules {
		if rule.Fired() > 0 {
			return true
		}
	}
	return r.need > 0 && r.seen >= r.need
}

// failing counts what failed so far.
func (r *run) failing() (n int64) {
	for _, rule := range r.rules {
		n += rule.Fired()
	}
	return n
}

// exact says that a size must be what was said: only one call failed, so that asking after it succeeds.
func (r *run) exact() bool { return len(r.rules) < 2 && !r.loop.way.outage }

// context returns one for an operation. Where calls hang, it ends soon after one does.
func (r *run) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.base)
	if !r.loop.way.hangs || r.failing() > 0 {
		return ctx, cancel
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for r.failing() == 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, func() {
		cancel()
		<-over
	}
}

// do runs an operation on the driver that meets failures.
func (r *run) do(f func(ctx context.Context, d storagedriver.StorageDriver) error) error {
	ctx, cancel := r.context()
	defer cancel()
	return f(ctx, r.faulty)
}

// again repeats an operation after a failure: what fails has failed, so that this must not. Where more than one
// call fails, the driver that looks repeats it.
func (r *run) again(f func(ctx context.Context, d storagedriver.StorageDriver) error) error {
	if !r.exact() {
		return f(r.base, r.clean)
	}
	return f(r.base, r.faulty)
}

// path returns the path of a name of this run.
func (r *run) path(name string) string { return r.dir + "/" + name }

// handles counts the bodies that a backend has opened.
type handles struct {
	storagedriver.Backend
	open atomic.Int64
}

// Read implements storagedriver.Backend.
func (h *handles) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	body, n, err := h.Backend.Read(ctx, path, offset, length)
	if err != nil {
		return nil, 0, err
	}
	h.open.Add(1)
	return &handle{ReadCloser: body, open: &h.open}, n, nil
}

type handle struct {
	io.ReadCloser
	open   *atomic.Int64
	closed atomic.Bool
}

// Close implements io.Closer.
func (h *handle) Close() error {
	if !h.closed.Swap(true) {
		h.open.Add(-1)
	}
	return h.ReadCloser.Close()
}
