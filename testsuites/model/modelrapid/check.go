package modelrapid

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/model"
	"pgregory.net/rapid"
)

// TB is what a test is to rapid: a *testing.T is one.
type TB = rapid.TB

// TimeVariable is the environment's variable with which a Check of DefaultTime goes on for a time, "1h".
const TimeVariable = "BERTH_MODEL_TIME"

const (
	// DefaultSteps is the most operations of a script: long enough for an upload that is begun, suspended,
	// resumed after a crash and contested, short enough for thousands of scripts a minute in memory.
	DefaultSteps = 60
	// DefaultTime is how long Check begins new scripts. Rapid's number of checks bounds it as well.
	DefaultTime = 8 * time.Second
	// shrinkTime bounds what is spent on a script after rapid has shrunk it.
	shrinkTime = 20 * time.Second
)

// Options set how Check works. The zero value, but for Open, is usable.
type Options struct {
	// Open returns how to open a driver on new storage, which nothing but one script uses. What it makes
	// is cleaned up by tb. When it cannot, it calls tb.Fatalf.
	Open func(tb TB) model.Harness
	// PartSize is the size of the parts that the driver is to cut uploads into, in bytes: every script begins
	// with it.
	PartSize int64
	// Steps is the most operations of a script; 0 is DefaultSteps.
	Steps int
	// Time is how long new scripts are begun; 0 is DefaultTime. With TimeVariable that is what it says, and as much less
	// as Time is less than DefaultTime.
	Time time.Duration
	// Command is the command line that performs a script on such a driver again, in which FILE stands for
	// the script; "" is one that names no parameters.
	Command string
	// Driver names the driver for Command.
	Driver string
}

// Check performs random scripts on the driver, each on new storage, and fails t with the shortest that
// it finds to fail: printed, and written to a file whose name is printed. The scripts come of rapid, whose flags
// -rapid.seed, -rapid.checks and so on count; the seed of what fails is printed.
func Check(t testing.TB, o Options) {
	t.Helper()
	begin := time.Now()
	found := Search(t, o)
	t.Logf("model: %d scripts of %d operations in %v", found.Scripts, found.Operations, time.Since(begin).Round(time.Millisecond))
	if found.Err == nil {
		return
	}
	file, err := save(t, found)
	if err != nil {
		t.Errorf("the script could not be written: %v", err)
	}
	t.Fatalf("the driver does not do as the model: %v\n%s\n%s\nThe script is in %s. To perform it again:\n  %s",
		found.Err, found.Script, found.Rapid, file, o.command(file))
}

// command is the command line that performs the script in file.
func (o Options) command(file string) string {
	command := o.Command
	if command == "" {
		command = "berth driver test " + cmp.Or(o.Driver, "NAME") + " --script FILE"
	}
	return strings.ReplaceAll(command, "FILE", file)
}

// Found is what a search came to.
type Found struct {
	// Scripts and Operations is how many were performed before one failed.
	Scripts, Operations int
	// Script is the shortest that fails, and Err why; nil when none was found.
	Script model.Script
	Err    error
	// Rapid is what rapid says of it: how to have it drawn again.
	Rapid string
}

// Search is Check that returns what it finds. t is for what Options.Open needs.
func Search(t testing.TB, o Options) Found {
	t.Helper()
	o = o.withDefaults(t)
	c := &checker{options: o, tb: t, until: time.Now().Add(o.Time)}
	said := c.once()
	for long() && said == nil && time.Now().Before(c.until) {
		said = c.once()
	}
	found := Found{Scripts: c.scripts, Operations: c.operations}
	if said == nil {
		return found
	}
	found.Rapid = strings.Join(said, "\n")
	if c.failed == nil {
		found.Err = errors.New("no script failed, and yet rapid is not content")
		return found
	}
	found.Script, found.Err = Shrink(c.failed, c.problem, time.Now().Add(shrinkTime), func(s model.Script) error { return c.perform(t, s) })
	return found
}

func (o Options) withDefaults(t testing.TB) Options {
	t.Helper()
	if o.Steps == 0 {
		o.Steps = DefaultSteps
	}
	if o.Time == 0 {
		o.Time = DefaultTime
	}
	if long := os.Getenv(TimeVariable); long != "" {
		d, err := time.ParseDuration(long)
		if err != nil || d <= 0 {
			t.Fatalf("%s=%s: a duration like 1h or 30s", TimeVariable, long)
		}
		o.Time = time.Duration(float64(d) * min(1, float64(o.Time)/float64(DefaultTime)))
	}
	return o
}

// checker is one search.
type checker struct {
	options             Options
	tb                  testing.TB
	until               time.Time
	scripts, operations int

	failed  model.Script // the last that failed: when rapid is done, the shortest it found
	problem error
}

func long() bool { return os.Getenv(TimeVariable) != "" }

// once is a run of rapid. It returns what rapid says of a failure, or nil.
func (c *checker) once() []string {
	listener := &listener{TB: c.tb}
	generator := scripts(c.options.Steps, c.options.PartSize)
	done := make(chan struct{})
	go func() { // rapid ends the goroutine it has failed on
		defer close(done)
		rapid.Check(listener, func(rt *rapid.T) {
			if c.failed == nil && time.Now().After(c.until) {
				return // enough; what has failed is shrunk to the end
			}
			script := generator.Draw(rt, "script")
			if c.failed == nil {
				c.scripts++
				c.operations += len(script)
			}
			if err := c.perform(rt, script); err != nil {
				c.failed, c.problem = script, err
				rt.Fatalf("%v", withoutLine(err))
			}
		})
	}()
	<-done
	return listener.said
}

// listener keeps from the test what rapid says, and that it fails: Check says it, shorter.
type listener struct {
	TB
	said   []string
	failed bool
}

func (l *listener) Logf(string, ...any) {}
func (l *listener) Log(...any)          {}
func (l *listener) Errorf(format string, args ...any) {
	text, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\nFailed test output")
	l.failed, l.said = true, append(l.said, text)
}
func (l *listener) FailNow() {
	l.failed = true
	runtime.Goexit()
}
func (l *listener) Failed() bool { return l.failed }

// withoutLine is what fails: rapid shrinks only to scripts that fail alike, and the line is not of it.
func withoutLine(err error) string {
	if m := (*model.Mismatch)(nil); errors.As(err, &m) {
		return m.What
	}
	return err.Error()
}

// perform runs a script on new storage.
func (c *checker) perform(tb TB, script model.Script) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return model.Run(ctx, c.options.Open(tb), script, nil)
}

// save writes the script where tests leave what they found.
func save(tb testing.TB, found Found) (string, error) {
	dir := filepath.Join(os.TempDir(), "berth-model")
	if kept := flag.Lookup("test.artifacts"); kept != nil && kept.Value.String() == "true" {
		dir = tb.ArtifactDir()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' || r == '\\' {
			return '-'
		}
		return r
	}, tb.Name())
	f, err := os.CreateTemp(dir, name+"-*.script")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "# %s\n%s", strings.ReplaceAll(found.Err.Error(), "\n", " "), found.Script)
	return f.Name(), err
}
