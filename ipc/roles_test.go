//go:build unix

package ipc

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test binary a child: childMain does what its first argument says.
const childVariable = "BERTH_IPC_TEST_CHILD"

func maybeChild() {
	if os.Getenv(childVariable) != "" {
		childMain(os.Args[1])
		os.Exit(0)
	}
}

// childRoles are what a child can do, by its first argument. What only some systems have is added by their files.
var childRoles = map[string]func(){
	"environment": func() {
		dir, err := os.Getwd()
		fmt.Printf("%q %v\n", dir, err)
		for _, v := range os.Environ() {
			fmt.Println(v)
		}
	},
	// Echoes what comes until the socket ends.
	"echo": func() {
		socket := os.NewFile(3, "socket")
		_, _ = io.Copy(socket, socket)
	},
	// Does not look at its socket.
	"deaf": func() {
		fmt.Println("ready")
		block()
	},
	"panic": func() { panic("the disk is on fire") },
	// Is followed by a process that has left the group and holds all descriptors.
	"escaped": func() {
		c := sleeper()
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.ExtraFiles = []*os.File{os.NewFile(3, "socket")}
		orphan(c)
	},
	// The same, in the group.
	"orphan": func() {
		c := sleeper()
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.ExtraFiles = []*os.File{os.NewFile(3, "socket")}
		orphan(c)
	},
}

func childMain(role string) {
	do, ok := childRoles[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", role)
		os.Exit(99)
	}
	do()
}

// block returns when the process is killed, so never.
func block() {
	r, w, err := os.Pipe()
	if err == nil {
		_, err = r.Read(make([]byte, 1))
	}
	fmt.Println(err, w)
}

func sleeper() *exec.Cmd { return exec.Command("sleep", "600") }

func orphan(c *exec.Cmd) {
	if err := c.Start(); err != nil {
		fmt.Println(err)
		os.Exit(98)
	}
	fmt.Println(c.Process.Pid)
	_, _ = os.NewFile(3, "socket").Write([]byte("farewell"))
	os.Exit(3)
}

// told are the lines of a process.
type told struct {
	mu    sync.Mutex
	lines []string
	busy  atomic.Bool
	twice atomic.Bool
}

func (o *told) line(text string) {
	if !o.busy.CompareAndSwap(false, true) {
		o.twice.Store(true)
	}
	o.mu.Lock()
	o.lines = append(o.lines, text)
	o.mu.Unlock()
	o.busy.Store(false)
}

func (o *told) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

// inRole is the configuration of a child in a role.
func inRole(t testing.TB, role string, o *told) processConfig {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return processConfig{path: path, argument: role, env: []string{childVariable + "=1"}, confine: true, files: 256, grace: 20 * time.Second, line: o.line}
}

// inShell is the configuration of a child that is a script.
func inShell(t testing.TB, script string, o *told) processConfig {
	t.Helper()
	return processConfig{path: "/bin/sh", argument: written(t, script, 0o600), confine: true, memory: 1 << 30, files: 256, grace: 20 * time.Second, line: o.line}
}

func written(t testing.TB, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry-storage-test")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func begin(t testing.TB, c processConfig) *process {
	t.Helper()
	p, err := startProcess(context.Background(), c)
	if err != nil {
		t.Fatalf("starting %s %s: %v", c.path, c.argument, err)
	}
	t.Cleanup(p.stop)
	return p
}

// ended waits for the end of a process, which must come soon, and checks how it ended.
func ended(t testing.TB, p *process, how string) {
	t.Helper()
	select {
	case <-p.exited():
	case <-time.After(time.Minute):
		t.Fatalf("process %d has not ended", p.pid())
	}
	if p.how() != how {
		t.Errorf("the process ended with %q, wanted %q; its last words: %q", p.how(), how, p.lastWords())
	}
}

// until polls for a condition, which must come true soon.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not come true that %s", what)
		}
	}
}

// lives reports whether a process is there that is not ours to wait for.
func lives(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
		return false // who adopted it has not looked yet
	}
	return syscall.Kill(pid, 0) == nil
}
