//go:build unix

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// startProcess starts a process with one end of a socket pair as descriptor 3. The context governs the start only. An error is one
// line that names the file and what to do. Its kind is never KindNotFound, nor is it fs.ErrNotExist: a process is started again
// within an operation, of which that would say that nothing is at its path.
func startProcess(ctx context.Context, c processConfig) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, guest.ContextError(err)
	}
	path, err := filepath.Abs(c.path) // its working directory is another
	if err != nil {
		return nil, startError(&c, err)
	}
	c.path = path
	e, err := openEnds()
	if err != nil {
		return nil, startError(&c, err)
	}
	p := &process{host: e.host, grace: c.grace, out: output{line: c.line}, over: make(chan struct{})}
	started := make(chan error, 1)
	onThread(func() { p.run(&c, e, started) })
	select {
	case err := <-started:
		if err != nil {
			return nil, err
		}
		return p, nil
	case <-ctx.Done(): // it hangs, in the file system of its executable perhaps
		go func() {
			if <-started == nil {
				p.kill()
				<-p.over
				_ = p.host.Close()
			}
		}()
		return nil, guest.ContextError(ctx.Err())
	}
}

// run starts the process, says so, and sees it to its end. It is called on a thread that does not end before run returns, because the kernel
// kills the process with the thread that started it.
func (p *process) run(c *processConfig, e *ends, started chan<- error) {
	pid, err := launch(c, &syscall.ProcAttr{Dir: "/", Env: environment(c.env), Files: e.descriptors()})
	closeAll(e.child[:])
	if err != nil {
		closeAll(e.outputs[:])
		_ = e.host.Close() // err is the error to tell
		started <- startError(c, err)
		return
	}
	p.leader = pid
	var readers sync.WaitGroup
	for _, r := range e.outputs {
		readers.Go(func() { p.out.read(r) })
	}
	started <- nil
	p.state = p.reap()
	p.endSocket()
	for _, r := range e.outputs {
		_ = r.SetReadDeadline(time.Now().Add(patience)) // pipes have deadlines
	}
	readers.Wait()
	closeAll(e.outputs[:])
	close(p.over)
}

// ends are both ends of what a process is connected with.
type ends struct {
	child   [4]*os.File // its descriptors
	outputs [2]*os.File // its stdout and stderr
	host    *net.UnixConn
}

func openEnds() (_ *ends, err error) {
	e := &ends{}
	defer func() {
		if err != nil {
			closeAll(e.child[:])
			closeAll(e.outputs[:])
		}
	}()
	if e.child[0], err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	for i := range e.outputs {
		if e.outputs[i], e.child[1+i], err = os.Pipe(); err != nil {
			return nil, err
		}
	}
	pair, err := socketPair()
	if err != nil {
		return nil, err
	}
	e.child[3] = os.NewFile(uintptr(pair[1]), "descriptor 3")
	ours := os.NewFile(uintptr(pair[0]), "socket")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	e.host = conn.(*net.UnixConn)
	return e, nil
}

// socketPair returns two descriptors that no other child inherits.
func socketPair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return pair, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(pair[0])
	unix.CloseOnExec(pair[1])
	return pair, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// closed stands in ProcAttr.Files for a descriptor that the child is not to have.
const closed = ^uintptr(0)

// descriptors returns what the child's descriptors are to be. Beyond its own come those that would stay open: what we were
// started with, or what a C library opened, need not be close-on-exec.
func (e *ends) descriptors() []uintptr {
	var files []uintptr
	for _, f := range e.child {
		files = append(files, f.Fd())
	}
	for _, n := range openDescriptors() {
		if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			for len(files) <= n {
				files = append(files, closed)
			}
		}
	}
	return files
}

// openDescriptors returns numbers of which all that are open descriptors are some: where the system does not list them, those
// that are likely.
func openDescriptors() []int {
	var list []int
	for _, name := range []string{"/proc/self/fd", "/dev/fd"} {
		dir, err := os.Open(name)
		if err != nil {
			continue
		}
		names, err := dir.Readdirnames(-1)
		_ = dir.Close() // it was read
		if err != nil {
			continue
		}
		for _, name := range names {
			if n, err := strconv.Atoi(name); err == nil {
				list = append(list, n)
			}
		}
		return list
	}
	for n := range 1024 {
		list = append(list, n)
	}
	return list
}

// killGroup kills a leader that was not waited for, and its group. The leader may have gone into another.
func killGroup(leader int) {
	_ = unix.Kill(-leader, unix.SIGKILL) // there is nobody left, or nobody that we may kill
	_ = unix.Kill(leader, unix.SIGKILL)
}

// wait waits for the leader, and tells how it ended.
func wait(leader int) string {
	var status unix.WaitStatus
	err := again(func() error {
		_, err := unix.Wait4(leader, &status, 0, nil)
		return err
	})
	switch {
	case err == unix.ECHILD:
		return "unknown: somebody else waited for it"
	case err != nil:
		return "unknown: " + os.NewSyscallError("wait4", err).Error()
	case status.Signaled() && status.CoreDump():
		return "signal: " + status.Signal().String() + " (core dumped)"
	case status.Signaled():
		return "signal: " + status.Signal().String()
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// again calls f until it was not interrupted by a signal.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// startError is the error of a process that could not be started. It wraps no cause: see startProcess.
func startError(c *processConfig, err error) error {
	var known *storagedriver.Error
	if errors.As(err, &known) {
		return known
	}
	refuse := func(kind storagedriver.Kind, format string, args ...any) error {
		return storagedriver.Errorf(kind, "%s: %s", c.path, fmt.Sprintf(format, args...))
	}
	var number syscall.Errno
	errors.As(err, &number)
	switch number {
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ENOEXEC, unix.ELOOP:
		return refuse(storagedriver.KindInvalidArgument, "%s", fileFault(c.path, number))
	case unix.ETXTBSY:
		return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: fmt.Errorf("%s: somebody is writing the file: close it, or put a new one in its place by renaming it", c.path)}
	case unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ENOBUFS:
		return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: fmt.Errorf("%s: the system has nothing left for another process (%v): see the limits of the user that Berth runs as", c.path, err)}
	case unix.E2BIG:
		return refuse(storagedriver.KindLimit, "the system starts no process with parameters of %d bytes and this environment: make them shorter", len(c.argument))
	case unix.EINVAL:
		if strings.Contains(c.argument+strings.Join(c.env, ""), "\x00") {
			return refuse(storagedriver.KindInvalidArgument, "a parameter or a variable of the environment has a zero byte, which no process can be given")
		}
	case unix.EPERM:
		return refuse(storagedriver.KindInvalidArgument, "the system's policy refuses to run it (%v): permit it to the user that Berth runs as", number)
	}
	return refuse(storagedriver.KindInvalidArgument, "it cannot be started: %v", err)
}

// fileFault tells what is wrong with a file that the system did not execute, and what to do.
func fileFault(path string, number syscall.Errno) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file: build the driver or name the right path"
	case err != nil:
		return fmt.Sprintf("it cannot be reached (%v): give the user that Berth runs as access to its folder", number)
	case !info.Mode().IsRegular():
		return fmt.Sprintf("it is no file (%v): name the executable", info.Mode().Type())
	case number == unix.EACCES && info.Mode()&0o111 == 0:
		return "it is not executable: chmod +x " + path
	}
	interpreter, script, err := interpreterOf(path)
	switch {
	case err != nil && number == unix.ENOEXEC:
		return fmt.Sprintf("it is no executable of %s/%s, and it cannot be read for a #! line (%v)", runtime.GOOS, runtime.GOARCH, err)
	case script && interpreter == "":
		return "its first line, #!, names no interpreter: name one, as in #!/usr/bin/env python3"
	case script && strings.HasSuffix(interpreter, "\r"):
		return fmt.Sprintf("its first line ends with a carriage return, so that it names the interpreter %q: save it with the line ends of Unix", interpreter)
	case script:
		return interpreterFault(interpreter, number)
	case number == unix.ENOEXEC && info.Size() == 0:
		return "it is empty: build the driver again"
	case number == unix.ENOEXEC:
		return fmt.Sprintf("it is neither an executable of %s/%s nor a script with a #! line: build it for this system, or begin it with a line such as #!/usr/bin/env python3",
			runtime.GOOS, runtime.GOARCH)
	case number == unix.ENOENT:
		return "the loader that it names is not there: link it statically, or build it for the C library of this system"
	}
	return fmt.Sprintf("it may not be executed (%v): give the user that Berth runs as the right to, and see that its file system is not mounted noexec", number)
}

// interpreterFault tells what is wrong with the interpreter of a script.
func interpreterFault(interpreter string, number syscall.Errno) string {
	info, err := os.Stat(interpreter)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("its first line names the interpreter %s, which is not there: install it, or name another, as in #!/usr/bin/env python3", interpreter)
	case err == nil && info.Mode().IsRegular() && info.Mode()&0o111 == 0:
		return fmt.Sprintf("its first line names the interpreter %s, which is not executable: chmod +x %s, or name another", interpreter, interpreter)
	}
	return fmt.Sprintf("it, or the interpreter %s that its first line names, cannot be executed (%v): run it as the user that Berth runs as to see why", interpreter, number)
}

// interpreterOf returns what stands behind #! in the first line of a file, up to the first space. script is false where there is no #!.
func interpreterOf(path string) (interpreter string, script bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	begin := make([]byte, 256) // as much as Linux looks at
	n, err := io.ReadFull(f, begin)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", false, err
	}
	line, script := strings.CutPrefix(string(begin[:n]), "#!")
	if !script {
		return "", false, nil
	}
	line, _, _ = strings.Cut(line, "\n")
	interpreter, _, _ = strings.Cut(strings.ReplaceAll(strings.Trim(line, " \t"), "\t", " "), " ")
	return interpreter, true, nil
}
