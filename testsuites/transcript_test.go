package testsuites_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites"
)

// told is a T that keeps what is logged, and runs cases in ones of their own.
type told struct {
	testsuites.T
	failed   bool
	logged   *[]string
	cleanups []func()
}

func (l *told) Logf(format string, args ...any) {
	*l.logged = append(*l.logged, fmt.Sprintf(format, args...))
}
func (l *told) Errorf(string, ...any) { l.failed = true }
func (l *told) Fatalf(string, ...any) { l.failed = true; runtime.Goexit() }
func (l *told) Failed() bool          { return l.failed }
func (l *told) Cleanup(f func())      { l.cleanups = append(l.cleanups, f) }
func (l *told) Run(_ string, f func(testsuites.T)) bool {
	c := &told{T: l.T, logged: l.logged}
	done := make(chan struct{})
	go func() { defer close(done); f(c) }() // which Fatalf may end
	<-done
	c.end()
	return !c.failed
}

func (l *told) end() {
	for _, f := range slices.Backward(l.cleanups) {
		f()
	}
}

// nameless is a driver without a name, which notes that it is asked for one.
type nameless struct {
	storagedriver.StorageDriver
	notes *[]string
}

func (n nameless) Name() string {
	*n.notes = append(*n.notes, "asked for its name")
	return ""
}

// transcribed is a suite of a case that passes and one that fails.
func transcribed(t *testing.T) testsuites.Harness {
	var notes []string
	open := openModel(t)
	return testsuites.Harness{
		Run: "driver/name,driver/root-exists",
		New: func(t testsuites.T) storagedriver.StorageDriver {
			notes = append(notes, "opened")
			return nameless{open(t), &notes}
		},
		Transcript: func() string {
			text := strings.Join(notes, "\n")
			notes = nil
			return text
		},
	}
}

func TestAFailedCaseHasItsTranscript(t *testing.T) {
	result := testsuites.RunAll(t.Context(), transcribed(t), nil)
	if len(result.Cases) != 2 || result.Count(testsuites.Fail) != 1 {
		t.Fatalf("want one of two cases to fail, got %+v", result)
	}
	for _, c := range result.Cases {
		want := map[testsuites.Status]string{testsuites.Fail: "asked for its name"}[c.Status]
		if c.Transcript != want {
			t.Errorf("%s, %s: transcript %q, want %q", c.ID, c.Status, c.Transcript, want)
		}
	}
}

func TestATestLogsTheTranscriptOfAFailedCase(t *testing.T) {
	var logged []string
	suite := &told{T: testsuites.Testing(t), logged: &logged}
	testsuites.Run(suite, transcribed(t))
	suite.end()
	var got []string
	for _, line := range logged {
		if !strings.HasPrefix(line, "conformance: seed") {
			got = append(got, line)
		}
	}
	if want := []string{"what the driver did:\nasked for its name"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}
