//go:build unix

package ipc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func TestProcessEnvironment(t *testing.T) {
	t.Setenv("TMPDIR", "/var/tmp")
	t.Setenv("BERTH_SECRET", "not for drivers")
	var o told
	c := inRole(t, "environment", &o)
	c.env = append(c.env, "LANG=de_DE.UTF-8", "A=1")
	ended(t, begin(t, c), "exit status 0")
	want := []string{`"/" <nil>`, "A=1", "BERTH_IPC_TEST_CHILD=1", "LANG=de_DE.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=/var/tmp"}
	got := o.all()
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("the child has\n%q\nwanted\n%q", got, want)
	}
}

func TestProcessEnvironmentIsTheDefault(t *testing.T) {
	t.Setenv("TMPDIR", "")
	want := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TMPDIR=/tmp"}
	if got := environment(nil); !slices.Equal(got, want) {
		t.Errorf("environment is %q, wanted %q", got, want)
	}
}

// A child's life is bound to the thread that started it, so threads end here while the child lives.
func TestProcessSocketWorksBothWaysUntilItIsClosed(t *testing.T) {
	var o told
	p := begin(t, inRole(t, "echo", &o))
	var threads sync.WaitGroup
	for range 20 {
		threads.Go(runtime.LockOSThread)
	}
	threads.Wait()
	runtime.GC()
	for i := range 100 {
		want := fmt.Sprintf("message %d", i)
		if _, err := io.WriteString(p.conn(), want); err != nil {
			t.Fatalf("writing to the child: %v; it %q", err, p.lastWords())
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p.conn(), got); err != nil || string(got) != want {
			t.Fatalf("the child sent %q, %v; wanted %q", got, err, want)
		}
	}
	p.stop()
	ended(t, p, "exit status 0")
}

func TestProcessThatIgnoresTheClosedSocketIsKilledAfterTheGrace(t *testing.T) {
	var o told
	c := inRole(t, "deaf", &o)
	c.grace = 50 * time.Millisecond
	p := begin(t, c)
	until(t, "the child is ready", func() bool { return len(o.all()) > 0 })
	var stops sync.WaitGroup
	for range 3 {
		stops.Go(p.stop)
	}
	stops.Wait()
	select {
	case <-p.exited():
	default:
		t.Error("stop returned before the process had ended")
	}
	ended(t, p, "signal: killed")
	p.stop()
}

func TestProcessKillIsAtOnceAndHarmlessAfterwards(t *testing.T) {
	var o told
	p := begin(t, inRole(t, "deaf", &o))
	p.kill()
	p.kill()
	ended(t, p, "signal: killed")
	p.kill()
	if !p.gone {
		t.Error("a process that was waited for may still be killed")
	}
}

func TestProcessKillWhileItEnds(t *testing.T) {
	for range 20 {
		p := begin(t, inShell(t, "exit 4", &told{}))
		var kills sync.WaitGroup
		for range 4 {
			kills.Go(func() {
				for {
					select {
					case <-p.exited():
						return
					default:
						p.kill()
						runtime.Gosched()
					}
				}
			})
		}
		kills.Wait()
		if how := p.how(); how != "exit status 4" && how != "signal: killed" {
			t.Errorf("the process ended with %q", how)
		}
	}
}

func TestProcessEndsWhateverAGrandchildHolds(t *testing.T) {
	for _, role := range []string{"escaped", "orphan"} {
		t.Run(role, func(t *testing.T) {
			var o told
			p := begin(t, inRole(t, role, &o))
			ended(t, p, "exit status 3")
			lines := o.all()
			if len(lines) != 1 {
				t.Fatalf("the child wrote %q", lines)
			}
			grandchild, err := strconv.Atoi(lines[0])
			if err != nil {
				t.Fatal(err)
			}
			if role == "orphan" {
				until(t, "the grandchild was killed with its group", func() bool { return !lives(grandchild) })
				return
			}
			if !lives(grandchild) {
				t.Error("a grandchild with a session of its own was killed, so that the test shows nothing")
			}
			if err := syscall.Kill(grandchild, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProcessLines(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name, script string
		want         []string
	}{
		{"both descriptors", "echo one; sleep 0.05; echo two >&2", []string{"one", "two"}},
		{"nothing", "", nil},
		{"empty ones", `printf '\n\na\n'`, []string{"", "", "a"}},
		{"without an end", `printf 'a\nb'`, []string{"a", "b"}},
		{"binary", `printf '\377\000\001\r\n\303\n'`, []string{"\xff\x00\x01\r", "\xc3"}},
		{"as long as may be", "printf '%016384d\\nb\\n' 0 | tr 0 x", []string{x(maxLine), "b"}},
		{"longer", "printf '%016385d\\nb\\n' 0 | tr 0 x", []string{x(maxLine), "b"}},
		{"longer than any buffer", "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\nb\\n'", []string{x(maxLine), "b"}},
		{"longer, without an end", "head -c 100000 /dev/zero | tr '\\0' x", []string{x(maxLine)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o told
			ended(t, begin(t, inShell(t, test.script, &o)), "exit status 0")
			if got := o.all(); !slices.Equal(got, test.want) {
				t.Errorf("the lines are %.300q, wanted %.300q", got, test.want)
			}
		})
	}
}

func TestProcessFloodIsReadInOrderOneLineAtATime(t *testing.T) {
	var o told
	ended(t, begin(t, inShell(t, "seq 1 100000 & seq 100001 200000 >&2; wait", &o)), "exit status 0")
	last := [2]int{0, 100000}
	for _, line := range o.all() {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		of := (n - 1) / 100000
		if last[of]++; n != last[of] {
			t.Fatalf("the line %d came where %d was due", n, last[of])
		}
	}
	if last != [2]int{100000, 200000} {
		t.Errorf("the last lines are %d", last)
	}
	if o.twice.Load() {
		t.Error("line was called for two lines at the same time")
	}
}

func TestProcessLastWords(t *testing.T) {
	const traceback = `echo 'Traceback (most recent call last):
  File "driver.py", line 1, in <module>
    serve()
ValueError: no such table: blobs' >&2; sleep 0.05; `
	for _, test := range []struct{ name, script, how, want string }{
		{"none", "exit 1", "exit status 1", ""},
		{"the last line", "echo a; sleep 0.05; echo b >&2; exit 1", "exit status 1", "b"},
		{"not an empty one", `printf 'a\n  \n\n'; exit 1`, "exit status 1", "a"},
		{"raw", `printf '\033[31m\377'; exit 1`, "exit status 1", "\x1b[31m\xff"},
		{"cut", "printf '%05000d' 0; exit 1", "exit status 1", strings.Repeat("0", maxWords)},
		{"indented alone", "echo '  a'; exit 1", "exit status 1", "  a"},
		{"a Go program out of memory", "echo 'fatal error: out of memory\n\ngoroutine 1 [running]:\nmain.main()\n\t/main.go:7 +0x1d'; exit 2", "exit status 2", "fatal error: out of memory"},
		{"a panic that was recovered from", "echo 'panic: x'; echo bye; exit 1", "exit status 1", "bye"},
		{"a Python exception", traceback + "exit 1", "exit status 1", "ValueError: no such table: blobs"},
		{"a Python exception and what stdout had", traceback + "echo served 3 calls; exit 1", "exit status 1", "ValueError: no such table: blobs"},
		{"a Python exception that was logged", traceback + "echo bye >&2; exit 1", "exit status 1", "bye"},
		{"a Node.js error", "echo '/x.js:1\nthrow e\n^\n\nError: no such table\n    at Object.<anonymous> (/x.js:1:7) {\n  code: 1\n}\n\nNode.js v20.1.0'; exit 1", "exit status 1", "Error: no such table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := begin(t, inShell(t, test.script, &told{}))
			ended(t, p, test.how)
			if got := p.lastWords(); got != test.want {
				t.Errorf("the last words are %q, wanted %q", got, test.want)
			}
		})
	}
	t.Run("a Go panic", func(t *testing.T) {
		p := begin(t, inRole(t, "panic", &told{}))
		ended(t, p, "exit status 2")
		if got, want := p.lastWords(), "panic: the disk is on fire"; got != want {
			t.Errorf("the last words are %q, wanted %q", got, want)
		}
	})
}

func TestProcessManyStartAtTheSameTime(t *testing.T) {
	const many = 50
	var all sync.WaitGroup
	c := inShell(t, "cat <&3 >&3", &told{})
	for i := range many {
		all.Go(func() {
			p, err := startProcess(context.Background(), c)
			if err != nil {
				t.Errorf("start %d: %v", i, err)
				return
			}
			defer p.stop()
			want := fmt.Sprintf("%d\n", i)
			_, _ = io.WriteString(p.conn(), want)
			if got, err := bufio.NewReader(p.conn()).ReadString('\n'); got != want {
				t.Errorf("process %d sent %q, %v; wanted %q", i, got, err, want)
			}
			p.stop()
			ended(t, p, "exit status 0")
		})
	}
	all.Wait()
}

func TestProcessStartErrors(t *testing.T) {
	executable := func(text string) processConfig { return processConfig{path: written(t, text, 0o700), confine: true} }
	dir := t.TempDir()
	for _, test := range []struct {
		name   string
		config processConfig
		kind   storagedriver.Kind
		want   string
	}{
		{"no file", processConfig{path: dir + "/x"}, storagedriver.KindInvalidArgument, dir + "/x: there is no such file: build the driver or name the right path"},
		{"no file, confined", processConfig{path: dir + "/x", confine: true}, storagedriver.KindInvalidArgument, "there is no such file"},
		{"under a file", processConfig{path: "/dev/null/x"}, storagedriver.KindInvalidArgument, "it cannot be reached (not a directory)"},
		{"a folder", processConfig{path: dir}, storagedriver.KindInvalidArgument, dir + ": it is no file (d---------): name the executable"},
		{"not executable", processConfig{path: written(t, "#!/bin/sh", 0o600), confine: true}, storagedriver.KindInvalidArgument, "it is not executable: chmod +x /"},
		{"no interpreter", executable("#!/usr/bin/python9 -u\n"), storagedriver.KindInvalidArgument, "its first line names the interpreter /usr/bin/python9, which is not there: install it, or name another"},
		{"an interpreter after a space", executable("#! \t/usr/bin/python9\t-u"), storagedriver.KindInvalidArgument, "the interpreter /usr/bin/python9, which is not there"},
		{"line ends of Windows", executable("#!/bin/sh\r\necho\r\n"), storagedriver.KindInvalidArgument, `its first line ends with a carriage return, so that it names the interpreter "/bin/sh\r": save it`},
		{"an interpreter that is not executable", executable("#!" + written(t, "", 0o600)), storagedriver.KindInvalidArgument, "which is not executable: chmod +x /"},
		{"an empty line", executable("#!\n"), storagedriver.KindInvalidArgument, "its first line, #!, names no interpreter"},
		{"a script without a line", executable("print('hello')\n"), storagedriver.KindInvalidArgument, "it is neither an executable of " + runtime.GOOS + "/" + runtime.GOARCH + " nor a script with a #! line"},
		{"empty", executable(""), storagedriver.KindInvalidArgument, "it is empty"},
		{"a zero byte", processConfig{path: "/bin/sh", argument: "a\x00b"}, storagedriver.KindInvalidArgument, "has a zero byte"},
		{"too long", processConfig{path: "/bin/sh", argument: strings.Repeat("x", 16<<20)}, storagedriver.KindLimit, "parameters of 16777216 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := startProcess(context.Background(), test.config)
			if err == nil {
				p.stop()
				t.Fatal("it was started")
			}
			if storagedriver.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.config.path) {
				t.Errorf("the error is\n%v\nwanted %v with\n%s", err, test.kind, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				t.Errorf("the error is taken for one of what is in the storage: %v", err)
			}
		})
	}
}

func TestProcessStartNeedsALivingContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := startProcess(ctx, processConfig{path: "/bin/sh"}); storagedriver.KindOf(err) != storagedriver.KindCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, wanted KindCanceled", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	p, err := startProcess(ctx, inRole(t, "echo", &told{}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	cancel()
	b := []byte("x")
	if _, err := p.conn().Write(b); err != nil {
		t.Error(err)
	}
	if _, err := p.conn().Read(b); err != nil {
		t.Errorf("the process ended with the context of its start: %v", err)
	}
}

// A start whose context ends under way leaves nothing behind, whichever is first.
func TestProcessStartIsAbandoned(t *testing.T) {
	c := inShell(t, "cat <&3", &told{})
	for i := range 40 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*100*time.Microsecond)
		p, err := startProcess(ctx, c)
		if err == nil {
			p.stop()
		} else if storagedriver.KindOf(err) != storagedriver.KindDeadline {
			t.Errorf("the error is %v, wanted KindDeadline", err)
		}
		cancel()
	}
}

func TestProcessPathIsRelativeToOurs(t *testing.T) {
	t.Chdir(filepath.Dir(written(t, "#!/bin/sh\necho $1\n", 0o700)))
	var o told
	c := inShell(t, "", &o)
	c.path, c.argument = "./registry-storage-test", `{"a":1}`
	ended(t, begin(t, c), "exit status 0")
	if got, want := o.all(), []string{`{"a":1}`}; !reflect.DeepEqual(got, want) {
		t.Errorf("the child wrote %q, wanted %q", got, want)
	}
}
