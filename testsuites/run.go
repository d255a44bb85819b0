package testsuites

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// Run runs the suite, each case as a test of t named by its identifier, and returns when it is over.
// A panic of the driver in a case is a failure of that case.
func Run(t T, h Harness) {
	t.Helper()
	s, err := prepare(h)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s.run(t)
}

func (s *suite) run(t T) {
	t.Helper()
	t.Logf("conformance: seed %d", s.Seed)
	s.driver = s.New(t)
	if s.driver == nil {
		t.Fatalf("Harness.New returned no driver")
	}
	t.Cleanup(func() {
		if err := s.driver.Close(); err != nil {
			t.Errorf("Close of the driver: %v", err)
		}
	})
	queue := make(chan scenario)
	var workers sync.WaitGroup
	for range s.Parallel {
		workers.Go(func() {
			for c := range queue {
				t.Run(c.id, func(t T) { s.execute(t, c) })
			}
		})
	}
	for _, c := range s.selected {
		if t.Context().Err() != nil {
			break
		}
		queue <- c
	}
	close(queue)
	workers.Wait()
}

// execute runs one case.
func (s *suite) execute(t T, c scenario) {
	if reason, ok := s.Skip[c.id]; ok {
		t.Skipf("left out: %s", reason)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.Timeout)
	defer cancel()
	if s.Transcript != nil && s.Parallel == 1 {
		s.Transcript() // is of what was before
	}
	// Before cleaning up, during which other cases go on, and after it where that is what fails.
	var shown sync.Once
	show := func() {
		if t.Failed() {
			shown.Do(func() { s.show(t) })
		}
	}
	t.Cleanup(show)
	e := newEnv(t, ctx, s, c.id)
	t.Cleanup(e.clean)
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		show()
	}()
	c.run(e)
}

// show logs the transcript of a case that has failed.
func (s *suite) show(t T) {
	if s.collects || s.Transcript == nil {
		return
	}
	if text := s.Transcript(); text != "" {
		t.Logf("what the driver did:\n%s", text)
	}
}

// Status is how a case ended.
type Status string

// The statuses.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// CaseResult is how a case ended.
type CaseResult struct {
	ID     string
	Status Status
	// Reason is why a case failed, one failure a line, or why it was left out.
	Reason   string
	Duration time.Duration
	// Transcript is what Harness.Transcript tells of a case that failed.
	Transcript string
}

// Result is how a suite ended.
type Result struct {
	// Driver is the driver's name, "" when it could not be opened.
	Driver string
	// Seed is what decided the content; Harness.Seed repeats it.
	Seed uint64
	// Cases are those that ran, in the order they ended in.
	Cases []CaseResult
	// Err is what kept the suite from running to its end: a Harness that makes no sense, a
	// driver that cannot be opened or closed, or the end of the context. Else it is nil.
	Err      error
	Duration time.Duration
}

// Count returns how many cases ended in status.
func (r Result) Count(status Status) int {
	n := 0
	for _, c := range r.Cases {
		if c.Status == status {
			n++
		}
	}
	return n
}

// Conforms reports that the suite ran to its end and no case failed.
func (r Result) Conforms() bool { return r.Err == nil && r.Count(Fail) == 0 }

// RunAll runs the suite where there is no go test. progress, which may be nil, is called with each
// case when it ends, serially. When ctx ends the case that runs fails and no other begins.
//
// A case that does not return within a minute after its time is over, because the driver
// honours no context, fails and is left behind with what it holds.
func RunAll(ctx context.Context, h Harness, progress func(CaseResult)) Result {
	begin := time.Now()
	s, err := prepare(h)
	if err != nil {
		return Result{Err: err}
	}
	result := Result{Seed: s.Seed}
	s.collects = true
	root := &recorder{ctx: ctx, patience: s.Timeout + time.Minute}
	var one sync.Mutex
	root.ended = func(c CaseResult) {
		one.Lock()
		defer one.Unlock()
		if c.Status == Fail && s.Transcript != nil {
			c.Transcript = s.Transcript()
		}
		result.Cases = append(result.Cases, c)
		if progress != nil {
			progress(c)
		}
	}
	root.protect(func() {
		s.run(root)
	})
	if s.driver != nil {
		result.Driver = s.driver.Name()
	}
	result.Err = root.err()
	if result.Err == nil {
		result.Err = ctx.Err()
	}
	result.Duration = time.Since(begin)
	return result
}
