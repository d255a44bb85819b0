package ipc

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() { //nolint:gochecknoinits // roles of this system, in the table of roles_test.go
	childRoles["host"] = func() { hostMain(true) }
	childRoles["unconfined host"] = func() { hostMain(false) }
	for name, f := range filters {
		childRoles[name] = func() { filteredMain(f) }
	}
}

// hostMain is a host of its own, which waits to be killed.
func hostMain(confine bool) {
	p, err := startProcess(context.Background(), processConfig{path: "/bin/sleep", argument: "600", confine: confine})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.pid())
	block()
}

// openedBy returns the descriptors of a process, with what they are.
func openedBy(t *testing.T, pid int) map[string]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]string)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			kind, _, _ := strings.Cut(target, ":")
			open[e.Name()] = kind
		}
	}
	return open
}

// countOpen counts our descriptors.
func countOpen(t *testing.T) int { return len(openedBy(t, os.Getpid())) }

func TestProcessHasFourDescriptors(t *testing.T) {
	// What a host was started with is not close-on-exec, nor what a C library opened.
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, from := range []int{4, 60, 200} {
		n, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, from)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(n)
	}
	for _, confine := range []bool{true, false} {
		p := begin(t, processConfig{path: "/bin/sleep", argument: "600", confine: confine})
		want := map[string]string{"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"}
		var got map[string]string
		until(t, "the child has its four descriptors", func() bool { // while it loads libraries it has more
			got = openedBy(t, p.pid())
			return fmt.Sprint(got) == fmt.Sprint(want) || t.Failed()
		})
		for n := range want {
			info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", p.pid(), n))
			if err != nil {
				t.Fatal(err)
			}
			_, flags, _ := strings.Cut(string(info), "flags:")
			number, err := strconv.ParseUint(strings.Fields(flags)[0], 8, 64)
			if err != nil || number&(unix.O_NONBLOCK) != 0 {
				t.Errorf("descriptor %s of the child has the flags %#o (%v), wanted a blocking one", n, number, err)
			}
		}
		p.kill()
	}
}

func TestProcessLeavesNoDescriptorsOpen(t *testing.T) {
	c := inShell(t, "cat <&3", &told{})
	begin(t, c).stop() // the runtime's own are open now
	before := countOpen(t)
	for range 10 {
		begin(t, c).stop()
		p := begin(t, c)
		p.kill()
		_ = p.conn().Close()
		<-p.exited()
		for _, path := range []string{"/nowhere", "/", c.argument} {
			if _, err := startProcess(context.Background(), processConfig{path: path, confine: true}); err == nil {
				t.Fatalf("%s was started", path)
			}
		}
	}
	if after := countOpen(t); after != before {
		t.Errorf("%d descriptors are open, before there were %d", after, before)
	}
}

// privileges returns the NoNewPrivs of each of our threads that do not have to do with a process.
func privileges(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	var all []string
	for _, name := range files {
		if status, err := os.ReadFile(name); err == nil { // else the thread has ended
			all = append(all, field(string(status), "NoNewPrivs:"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// field returns the first word behind a name.
func field(text, name string) string {
	_, rest, _ := strings.Cut(text, name)
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}

func TestProcessHasNoNewPrivilegesAndWeKeepOurs(t *testing.T) {
	var before []string // a thread that started a process of another test ends a moment after it
	until(t, "our threads have the same privileges", func() bool { before = privileges(t); return len(before) == 1 })
	const script = "grep NoNewPrivs /proc/self/status"
	for range 20 {
		var o told
		ended(t, begin(t, inShell(t, script, &o)), "exit status 0")
		if got := o.all(); len(got) != 1 || field(got[0], "NoNewPrivs:") != "1" {
			t.Errorf("the child has %q, wanted 1", got)
		}
	}
	until(t, "our threads have the privileges they had", func() bool { return slices.Equal(privileges(t), before) })

	var o told
	c := inShell(t, script, &o)
	c.confine = false
	ended(t, begin(t, c), "exit status 0")
	if got := o.all(); len(got) != 1 || field(got[0], "NoNewPrivs:") != before[0] {
		t.Errorf("without confinement the child has %q, wanted ours, %v", got, before)
	}
}

const limitsScript = "cat /proc/self/limits"

// limitsOf returns what limitsScript wrote: soft and hard limits of descriptors, memory and core dumps.
func limitsOf(lines []string) string {
	var all []string
	for _, name := range []string{"Max open files", "Max data size", "Max core file size"} {
		for _, line := range lines {
			if rest, ok := strings.CutPrefix(line, name); ok {
				all = append(all, strings.Join(strings.Fields(rest)[:2], "/"))
			}
		}
	}
	return strings.Join(all, " ")
}

func TestProcessLimits(t *testing.T) {
	ours, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	unlimited := strings.Split(string(ours), "\n")
	for _, test := range []struct {
		name   string
		change func(*processConfig)
		want   string
	}{
		{"both", func(*processConfig) {}, "256/256 1073741824/1073741824 0/0"},
		{"no higher than ours", func(c *processConfig) { c.files = now.Max + 1 }, fmt.Sprintf("%d/%d 1073741824/1073741824 0/0", now.Max, now.Max)},
		{"none", func(c *processConfig) { c.files, c.memory = 0, 0 }, ""},
		{"unconfined", func(c *processConfig) { c.confine = false }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o told
			c := inShell(t, limitsScript, &o)
			test.change(&c)
			ended(t, begin(t, c), "exit status 0")
			got := limitsOf(o.all())
			if test.want == "" { // of descriptors the soft limit is the one that Go raised for itself
				data := strings.Fields(limitsOf(unlimited))[1]
				if !strings.Contains(got, fmt.Sprintf("/%d %s ", now.Max, data)) {
					t.Errorf("the limits are %s, wanted ours, %s", got, limitsOf(unlimited))
				}
				return
			}
			if got != test.want {
				t.Errorf("the limits are %s, wanted %s", got, test.want)
			}
		})
	}
}

// traceable reports whether we may trace our children, which a sandbox may refuse.
func traceable(t *testing.T) bool {
	t.Helper()
	result := make(chan error, 1)
	onThread(func() {
		c := exec.Command("/bin/true")
		c.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
		err := c.Start()
		if err == nil {
			err = c.Process.Kill()
			_ = c.Wait() // it was killed
		}
		result <- err
	})
	return <-result == nil
}

// cat opens a file, and its loader libraries, none of which it may: where it has its limits before its first instruction it never succeeds.
func TestProcessHasItsLimitsFromTheBeginning(t *testing.T) {
	may := traceable(t)
	for range 20 {
		c := processConfig{path: "/bin/cat", argument: "/proc/self/limits", confine: true, files: 4}
		p := begin(t, c)
		<-p.exited()
		if p.how() == "exit status 0" && may {
			t.Error("the process has opened a file before it had its limits")
		}
		result := make(chan error, 1)
		onThread(func() {
			files, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				result <- err
				return
			}
			defer files.Close()
			pid, err := launchTraced(&c, []string{c.path, c.argument}, &syscall.ProcAttr{Files: []uintptr{files.Fd(), files.Fd(), files.Fd(), files.Fd()}, Sys: &unix.SysProcAttr{Setpgid: true}})
			if err == nil {
				wait(pid)
			}
			result <- err
		})
		if err := <-result; (err == nil) != may {
			t.Errorf("a traced start is refused with %v, and a trace is allowed: %v", err, may)
		}
	}
}

func TestProcessGetsNoMoreMemoryThanItMay(t *testing.T) {
	const script = "dd if=/dev/zero of=/dev/null bs=128M count=1"
	for _, test := range []struct {
		memory int64
		how    string
	}{{64 << 20, "exit status 1"}, {256 << 20, "exit status 0"}} {
		c := inShell(t, script, &told{})
		c.memory = test.memory
		ended(t, begin(t, c), test.how)
	}
}

func TestProcessDiesWithItsHost(t *testing.T) {
	for _, role := range []string{"host", "unconfined host"} {
		t.Run(role, func(t *testing.T) {
			var o told
			host := begin(t, inRole(t, role, &o))
			until(t, "the host has started a process", func() bool { return len(o.all()) > 0 })
			pid, err := strconv.Atoi(o.all()[0])
			if err != nil {
				t.Fatal(err)
			}
			if !lives(pid) {
				t.Fatal("the process does not live")
			}
			if err := unix.Kill(host.pid(), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			ended(t, host, "signal: killed")
			until(t, "the process is dead", func() bool { return !lives(pid) })
		})
	}
}

// What was sent before the leader died can be read; then comes the end, though another holds the socket.
func TestProcessSocketEndsWithTheLeader(t *testing.T) {
	var o told
	p := begin(t, inRole(t, "escaped", &o))
	ended(t, p, "exit status 3")
	defer func() {
		if pid, err := strconv.Atoi(o.all()[0]); err != nil || unix.Kill(pid, unix.SIGKILL) != nil {
			t.Errorf("the process that holds the socket is not there: %q", o.all())
		}
	}()
	if err := p.conn().SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(p.conn()); err != nil || string(got) != "farewell" {
		t.Errorf("the socket has %q, %v; wanted what the leader sent, and the end", got, err)
	}
	if _, err := p.conn().Write([]byte("x")); err == nil {
		t.Error("the socket of a dead leader takes what is written")
	}
}

// filter is a seccomp program for the host. It refuses the call, if not of the caller itself, with result.
type filter struct {
	call   uintptr
	result uint32
	self   bool // refused too of the caller itself
}

const (
	seccompErrno = 0x00050000 // and the number of the error
	seccompKill  = 0x80000000
)

var filters = map[string]filter{
	"ptrace: EPERM":   {unix.SYS_PTRACE, seccompErrno | uint32(unix.EPERM), true},
	"ptrace: EACCES":  {unix.SYS_PTRACE, seccompErrno | uint32(unix.EACCES), true},
	"ptrace: ENOSYS":  {unix.SYS_PTRACE, seccompErrno | uint32(unix.ENOSYS), true},
	"ptrace: killed":  {unix.SYS_PTRACE, seccompKill, true},
	"prlimit: EPERM":  {unix.SYS_PRLIMIT64, seccompErrno | uint32(unix.EPERM), false},
	"prlimit: ENOSYS": {unix.SYS_PRLIMIT64, seccompErrno | uint32(unix.ENOSYS), false},
}

// install puts the filter on all threads.
func (f filter) install() error {
	low := uint32(16) // the lower half of the first argument
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low += 4
	}
	if f.self {
		low = 0 // the number of the call, which is not 0 here
	}
	const load, jumpIfEqual, ret = 0x20, 0x15, 0x06
	program := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: jumpIfEqual, K: uint32(f.call), Jf: 3},
		{Code: load, K: low},
		{Code: jumpIfEqual, K: 0, Jt: 1},
		{Code: ret, K: f.result},
		{Code: ret, K: 0x7fff0000},
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const setFilter, allThreads = 1, 1
	if _, _, number := unix.Syscall(unix.SYS_SECCOMP, setFilter, allThreads, uintptr(unsafe.Pointer(&prog))); number != 0 {
		return number
	}
	return nil
}

// filteredMain is a host in a sandbox. It writes the limits of its process, or why there is none.
func filteredMain(f filter) {
	if err := f.install(); err != nil {
		fmt.Println("no filter:", err)
		return
	}
	p, err := startProcess(context.Background(), processConfig{
		path: "/bin/cat", argument: "/proc/self/limits", confine: true, memory: 1 << 30, files: 256, line: func(text string) { fmt.Println(text) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-p.exited()
	fmt.Println(p.how())
	if left, err := exec.Command("true").CombinedOutput(); err != nil {
		fmt.Println("the host starts nothing any more:", err, string(left))
	}
}

func TestProcessInASandbox(t *testing.T) {
	for name := range filters {
		t.Run(name, func(t *testing.T) {
			var o told
			ended(t, begin(t, inRole(t, name, &o)), "exit status 0")
			lines := o.all()
			if strings.HasPrefix(name, "prlimit") {
				for _, want := range []string{"/bin/cat: the system refuses to confine the driver's process", "prlimit(RLIMIT_CORE)", "set `confine: false`"} {
					if len(lines) != 1 || !strings.Contains(lines[0], want) {
						t.Errorf("the host said %q, wanted %q", lines, want)
					}
				}
				return
			}
			// cat may have read its limits before they were set, so that only its end is certain.
			if len(lines) < 2 || lines[len(lines)-1] != "exit status 0" {
				t.Errorf("the host said %q, wanted that the process ran", lines)
			}
		})
	}
}

func BenchmarkProcessStart(b *testing.B) {
	for _, confine := range []bool{true, false} {
		b.Run(fmt.Sprintf("confine=%v", confine), func(b *testing.B) {
			for b.Loop() {
				p, err := startProcess(context.Background(), processConfig{path: "/bin/true", confine: confine, memory: 1 << 30, files: 4096})
				if err != nil {
					b.Fatal(err)
				}
				<-p.exited()
				p.stop()
			}
		})
	}
}
