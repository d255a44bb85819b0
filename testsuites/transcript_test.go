package testsuites_test

import (
	"context"
	"errors"
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

// noting is a driver that notes that it is asked for its name, and what it deletes, which may fail.
type noting struct {
	storagedriver.StorageDriver
	notes   *[]string
	name    string
	refuses error
}

func (n noting) Name() string {
	*n.notes = append(*n.notes, "asked for its name")
	return n.name
}

func (n noting) Delete(ctx context.Context, path string) error {
	*n.notes = append(*n.notes, "deleted")
	return errors.Join(n.refuses, n.StorageDriver.Delete(ctx, path))
}

// transcribed is a suite of a case that passes and one that fails, for the driver has no name; cases that do not clean up
// where deleting is refused.
func transcribed(t *testing.T, refuses error) testsuites.Harness {
	var notes []string
	open := openModel(t)
	return testsuites.Harness{
		Run: "driver/name,driver/root-exists",
		New: func(t testsuites.T) storagedriver.StorageDriver {
			notes = append(notes, "opened")
			d := noting{StorageDriver: open(t), notes: &notes, refuses: refuses}
			if refuses != nil {
				d.name = "noting"
			}
			return d
		},
		Transcript: func() string {
			text := strings.Join(notes, "\n")
			notes = nil
			return text
		},
	}
}

func TestAFailedCaseHasItsTranscript(t *testing.T) {
	result := testsuites.RunAll(t.Context(), transcribed(t, nil), nil)
	if len(result.Cases) != 2 || result.Count(testsuites.Fail) != 1 {
		t.Fatalf("want one of two cases to fail, got %+v", result)
	}
	for _, c := range result.Cases {
		want := map[testsuites.Status]string{testsuites.Fail: "asked for its name\ndeleted"}[c.Status]
		if c.Transcript != want {
			t.Errorf("%s, %s: transcript %q, want %q", c.ID, c.Status, c.Transcript, want)
		}
	}
}

// TestATestLogsTheTranscriptOfAFailedCase up to where it failed, and only of one that did.
func TestATestLogsTheTranscriptOfAFailedCase(t *testing.T) {
	for name, c := range map[string]struct {
		refuses error
		want    []string
	}{
		"the case":    {nil, []string{"what the driver did:\nasked for its name"}},
		"cleaning up": {errors.New("refused"), []string{"what the driver did:\nasked for its name\nasked for its name\nopened\ndeleted", "what the driver did:\ndeleted"}},
	} {
		t.Run(name, func(t *testing.T) {
			var logged []string
			suite := &told{T: testsuites.Testing(t), logged: &logged}
			testsuites.Run(suite, transcribed(t, c.refuses))
			suite.end()
			got := slices.DeleteFunc(logged, func(line string) bool { return strings.HasPrefix(line, "conformance: seed") })
			if !slices.Equal(got, c.want) {
				t.Errorf("logged %q, want %q", got, c.want)
			}
		})
	}
}
