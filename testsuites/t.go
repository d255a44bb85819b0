package testsuites

import (
	"context"
	"testing"
)

// T is what a case reports to: the part of *testing.T that the suite needs, so that it also
// runs where there is no go test. [Testing] makes one of a *testing.T, [RunAll] brings its own.
//
// Fatalf and Skipf end the calling goroutine, which must be the one that runs the case; the
// others may be called from any goroutine until the case has returned.
type T interface {
	// Helper marks the caller as a function whose lines failures are not attributed to.
	Helper()
	// Name is the name of the test, with those it runs in.
	Name() string
	// Context ends just before the functions given to Cleanup are called.
	Context() context.Context
	// Logf records a line.
	Logf(format string, args ...any)
	// Errorf records a failure and goes on.
	Errorf(format string, args ...any)
	// Fatalf records a failure and ends the case.
	Fatalf(format string, args ...any)
	// Skipf records why the case is left out and ends it.
	Skipf(format string, args ...any)
	// Failed reports whether a failure was recorded.
	Failed() bool
	// Cleanup has f called when the test is over, last given first.
	Cleanup(f func())
	// Run runs f as a test of its own and returns when it is over: whether it did not
	// fail. It may be called from several goroutines.
	Run(name string, f func(t T)) bool
}

// Testing returns t as a T.
func Testing(t *testing.T) T { return goTest{t} }

type goTest struct{ *testing.T }

// Run implements T.
func (g goTest) Run(name string, f func(T)) bool {
	return g.T.Run(name, func(t *testing.T) { f(goTest{t}) })
}
