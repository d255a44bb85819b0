package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// compiled keeps compiled modules for all tests: compiling takes seconds under the race detector.
var compiled string

// argumentsVariable makes the test binary the command itself, with these arguments, a line each.
const argumentsVariable = "BERTH_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if args := os.Getenv(argumentsVariable); args != "" {
		if err := os.Setenv(argumentsVariable, ""); err != nil {
			panic(err)
		}
		a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, executable: os.Executable}
		os.Exit(a.main(context.Background(), strings.Split(args, "\n")))
	}
	var err error
	if compiled, err = os.MkdirTemp("", "berth-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// distribution starts one of these for each registry and has nothing to stop it with.
		goleak.IgnoreAnyFunction("github.com/docker/go-events.(*Broadcaster).run"),
		goleak.Cleanup(func(status int) {
			os.RemoveAll(compiled)
			os.Exit(status)
		}))
}

// console is a command line whose output is kept.
type console struct {
	out, errors bytes.Buffer
	app         *app
}

// newConsole is berth with env as its whole environment, lying in a folder without drivers.
func newConsole(t *testing.T, env map[string]string) *console {
	t.Helper()
	folder := t.TempDir()
	c := &console{}
	c.app = &app{
		stdout: &c.out, stderr: &c.errors,
		getenv: func(name string) string {
			if v, ok := env[name]; ok {
				return v
			}
			if name == cacheVariable {
				return filepath.Join(compiled, "cache")
			}
			return ""
		},
		executable: func() (string, error) { return filepath.Join(folder, "berth"), nil },
	}
	return c
}

// wantStatus runs the command line and demands its status; after a failure, exactly one line on
// standard error that begins with "berth: " and has each of the texts.
func (c *console) wantStatus(t *testing.T, status int, args []string, texts ...string) {
	t.Helper()
	if got := c.app.execute(t.Context(), args); got != status {
		t.Fatalf("berth %s: want status %d, got %d: %s%s", strings.Join(args, " "), status, got, &c.out, &c.errors)
	}
	line := c.errors.String()
	if status != statusOK && (!strings.HasPrefix(line, "berth: ") || strings.Count(line, "\n") != 1) {
		t.Fatalf("berth %s: want one line that begins with berth:, got %q", strings.Join(args, " "), line)
	}
	for _, text := range texts {
		if !strings.Contains(line+c.out.String(), text) {
			t.Fatalf("berth %s: want %q in what it says, got %q %q", strings.Join(args, " "), text, line, &c.out)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for line, text := range map[string]string{
		"nonsense":                                     `unknown command "nonsense"`,
		"driver nonsense":                              `unknown command "nonsense"`,
		"quickstart --nonsense":                        "unknown flag: --nonsense",
		"quickstart extra":                             "extra",
		"serve a.yml b.yml":                            "at most 1 arg",
		"garbage-collect":                              "accepts 1 arg",
		"driver ls --output xml":                       "neither table nor json",
		"driver inspect":                               "accepts 1 arg",
		"driver inspect inmemory":                      "compiled in",
		"driver test inmemory filesystem":              "accepts at most 1 arg",
		"driver test inmemory --param x":               "key=value",
		"driver test inmemory --param x=1":             `"x"`,
		"driver test inmemory --param x=secret":        "parameter",
		"driver test inmemory --run nonsense/case":     "nonsense/case",
		"driver test inmemory --allow http://a":        "compiled in",
		"driver test filesystem --param root=/tmp":     "rootdirectory",
		"driver test wasm":                             "module",
		"driver test inmemory --param a=1 --param a=2": "twice",
	} {
		t.Run(line, func(t *testing.T) {
			newConsole(t, nil).wantStatus(t, statusUsage, strings.Fields(line), text)
		})
	}
}

func TestNotFound(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for line, text := range map[string]string{
		"serve " + missing + ".yml":           "missing.yml",
		"garbage-collect " + missing + ".yml": "missing.yml",
		"driver inspect " + missing + ".wasm": "missing.wasm",
		"driver inspect nosuch":               "berth driver ls",
		"driver test " + missing + ".wasm":    "missing.wasm",
		"driver test nosuch":                  factory.SearchPathVariable,
		"quickstart --dir " + missing:         "registry-storage-webdav.wasm",
	} {
		t.Run(strings.Fields(line)[0], func(t *testing.T) {
			newConsole(t, nil).wantStatus(t, statusNotFound, strings.Fields(line), text)
		})
	}
}

func TestQuickstartWithoutItsDriverSaysHowToMakeIt(t *testing.T) {
	c := newConsole(t, nil)
	c.wantStatus(t, statusNotFound, []string{"quickstart", "--addr", "127.0.0.1:0", "--dir", t.TempDir()},
		"webdav.wasm", "make guests", factory.SearchPathVariable)
}

func TestEveryHelpHasAnExample(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if !strings.Contains(c.Example, "berth ") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newConsole(t, nil).app.command())
}

func TestCommandsThatListSpeakJSON(t *testing.T) {
	for _, line := range []string{"driver ls", "version"} {
		c := newConsole(t, nil)
		c.wantStatus(t, statusOK, append(strings.Fields(line), "-o", "json"))
		var v map[string]any
		if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
			t.Errorf("%s: %v: %s", line, err, &c.out)
		}
	}
}

func TestDriverListShowsFiles(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "registry-storage-mine.wasm")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, map[string]string{factory.SearchPathVariable: folder})
	c.wantStatus(t, statusOK, []string{"driver", "ls"}, "inmemory", "filesystem", "mine", file)
}

func TestDriverTestReportsCases(t *testing.T) {
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "test", "inmemory", "--run", "walk", "--output", "json"})
	var r report
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, &c.out)
	}
	if r.Driver != "inmemory" || len(r.Cases) == 0 || r.Passed != len(r.Cases) || r.Failed != 0 {
		t.Fatalf("want cases of inmemory that all pass, got %+v", r)
	}
	for _, one := range r.Cases {
		if !strings.HasPrefix(one.ID, "walk/") || one.Status != "pass" {
			t.Errorf("want a case of walk that passes, got %+v", one)
		}
	}
}

func TestInterrupted(t *testing.T) {
	c := newConsole(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := c.app.execute(ctx, []string{"driver", "test", "inmemory"}); got != statusInterrupted {
		t.Fatalf("want status %d, got %d: %s", statusInterrupted, got, &c.errors)
	}
}

func TestStatusOfKinds(t *testing.T) {
	temporary := storagedriver.NewError(storagedriver.KindPermission, "x")
	temporary.Temporary = true
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usageError{errors.New("x")}, 2},
		{storagedriver.NewError(storagedriver.KindInvalidArgument, "x"), 2},
		{storagedriver.NewError(storagedriver.KindNotFound, "x"), 4},
		{fmt.Errorf("x: %w", os.ErrNotExist), 4},
		{factory.InvalidStorageDriverError{Name: "x"}, 4},
		{storagedriver.NewError(storagedriver.KindUnavailable, "x"), 5},
		{storagedriver.NewError(storagedriver.KindDeadline, "x"), 5},
		{temporary, 5},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, 5},
		{storagedriver.NewError(storagedriver.KindDenied, "x"), 6},
		{storagedriver.NewError(storagedriver.KindPermission, "x"), 6},
		{conformanceError{errors.New("x")}, 7},
		{storagedriver.NewError(storagedriver.KindCorrupt, "x"), 8},
		{context.Canceled, 130},
		{storagedriver.NewError(storagedriver.KindGuest, "x"), 1},
		{storagedriver.NewError(storagedriver.KindNoSpace, "x"), 1},
	} {
		if got := statusOf(t.Context(), c.err); got != c.want {
			t.Errorf("%v: want status %d, got %d", c.err, c.want, got)
		}
	}
}

func TestParams(t *testing.T) {
	got, err := parseParams([]string{"url=http://a/?b=c", "tls.cert=x", "tls.key=", "n=1"})
	want := "map[n:1 tls:map[cert:x key:] url:http://a/?b=c]"
	if err != nil || fmt.Sprint(got) != want {
		t.Fatalf("want %s, got %v, %v", want, got, err)
	}
	for _, bad := range [][]string{{"a"}, {"=b"}, {"a=1", "a=2"}, {"a=1", "a.b=2"}, {"a.b=1", "a=2"}} {
		if _, err := parseParams(bad); statusOf(t.Context(), err) != statusUsage {
			t.Errorf("%q: want a usage error, got %v", bad, err)
		}
	}
}
