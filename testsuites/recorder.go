package testsuites

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// recorder is a T that keeps what is reported. The root of a suite runs in it, and each case in a
// recorder of its own.
type recorder struct {
	name     string
	ctx      context.Context
	patience time.Duration    // how long a case is waited for
	ended    func(CaseResult) // is told of each test that Run ran; nil below a case

	mu       sync.Mutex
	failures []string
	skipped  bool
	reason   string
	cleanups []func()
}

// Helper implements T.
func (r *recorder) Helper() {}

// Name implements T.
func (r *recorder) Name() string { return r.name }

// Context implements T.
func (r *recorder) Context() context.Context { return r.ctx }

// Logf implements T. Lines beside failures are of no use to a program.
func (r *recorder) Logf(string, ...any) {}

// Errorf implements T.
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// Fatalf implements T.
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf implements T.
func (r *recorder) Skipf(format string, args ...any) {
	r.mu.Lock()
	r.skipped, r.reason = true, fmt.Sprintf(format, args...)
	r.mu.Unlock()
	runtime.Goexit()
}

// Failed implements T.
func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// Cleanup implements T.
func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Run implements T.
func (r *recorder) Run(name string, f func(T)) bool {
	begin := time.Now()
	ctx, cancel := context.WithCancel(r.ctx)
	child := &recorder{name: name, ctx: ctx, patience: r.patience}
	if r.name != "" {
		child.name = r.name + "/" + name
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		child.protect(func() {
			defer cancel()
			f(child)
		})
	}()
	timer := time.NewTimer(r.patience)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		cancel()
		child.Errorf("the case has not returned after %v: an operation honours no context", r.patience)
	}
	result := child.result()
	result.Duration = time.Since(begin)
	if r.ended != nil {
		r.ended(result)
	} else if result.Status == Fail {
		r.Errorf("%s: %s", name, result.Reason)
	}
	return result.Status != Fail
}

// protect runs f and then the cleanups, each on a goroutine that Fatalf may end, and returns
// when all is done. What panics is a failure.
func (r *recorder) protect(f func()) {
	r.guard(f)
	for {
		r.mu.Lock()
		if len(r.cleanups) == 0 {
			r.mu.Unlock()
			return
		}
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		r.mu.Unlock()
		r.guard(last)
	}
}

func (r *recorder) guard(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			switch p := recover(); {
			case p != nil:
				r.Errorf("panic: %v\n%s", p, debug.Stack())
			case !returned && !r.Failed() && !r.Skipped():
				r.Errorf("the driver ended the goroutine it was called on (runtime.Goexit)")
			}
		}()
		f()
		returned = true
	}()
	<-done
}

// Skipped reports whether Skipf was called.
func (r *recorder) Skipped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}

func (r *recorder) result() CaseResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.failures) > 0:
		return CaseResult{ID: r.name, Status: Fail, Reason: strings.Join(r.failures, "\n")}
	case r.skipped:
		return CaseResult{ID: r.name, Status: Skip, Reason: r.reason}
	}
	return CaseResult{ID: r.name, Status: Pass}
}

// err returns what was reported outside of any case.
func (r *recorder) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.skipped {
		return errors.New("the suite was left out: " + r.reason)
	}
	if len(r.failures) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.failures, "\n"))
}
