package ipc

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/storagedriver"
)

// onThread calls f in a goroutine that has a thread to itself, which ends with it: what f changes about its thread is in nobody's way.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread() // and never unlocked
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// The main thread cannot end. It is held until the other has got another.
		taken := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(taken)
			f()
		}()
		<-taken
		runtime.UnlockOSThread()
	}()
}

// launch starts the executable and returns its number. The process dies with the calling thread, which launch changes: it is one of onThread.
func launch(c *processConfig, attr *syscall.ProcAttr) (int, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	argv := []string{c.path, c.argument}
	if !c.confine {
		return syscall.ForkExec(c.path, argv, attr)
	}
	// The child inherits it from this thread.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, unconfinable(c, os.NewSyscallError("prctl(PR_SET_NO_NEW_PRIVS)", err))
	}
	pid, err := launchTraced(c, argv, attr)
	if !errors.Is(err, errUntraceable) {
		return pid, err
	}
	attr.Sys.Ptrace = false
	if pid, err = syscall.ForkExec(c.path, argv, attr); err != nil {
		return 0, err
	}
	return pid, limitOrEnd(c, pid)
}

// errUntraceable is the error of launchTraced where there may be no ptrace.
var errUntraceable = errors.New("ptrace is refused")

// launchTraced starts the executable so that it has its limits before its first instruction.
func launchTraced(c *processConfig, argv []string, attr *syscall.ProcAttr) (int, error) {
	attr.Sys.Ptrace = true
	pid, err := syscall.ForkExec(c.path, argv, attr)
	switch err {
	case nil:
	case unix.EPERM, unix.EACCES, unix.ENOSYS: // Yama and seccomp, SELinux, emulators; or the file, which the next attempt tells
		return 0, errUntraceable
	default:
		return 0, err
	}
	for {
		var status unix.WaitStatus
		err := again(func() error {
			_, err := unix.Wait4(pid, &status, 0, nil)
			return err
		})
		switch {
		case err != nil:
			return 0, os.NewSyscallError("wait4", err)
		case !status.Stopped(): // it died: a filter may kill who calls ptrace
			return 0, errUntraceable
		case status.StopSignal() == unix.SIGTRAP:
			if err := limitOrEnd(c, pid); err != nil {
				return 0, err
			}
			if err := unix.PtraceDetach(pid); err != nil && err != unix.ESRCH { // ESRCH: it was killed meanwhile
				end(pid)
				return 0, errUntraceable
			}
			return pid, nil
		}
		_ = unix.PtraceCont(pid, int(status.StopSignal())) // an error is that it is gone, which the next wait tells
	}
}

// limitOrEnd limits a process that was started; if that fails there is no process.
func limitOrEnd(c *processConfig, pid int) error {
	err := limit(c, pid)
	if err != nil {
		end(pid)
	}
	return err
}

// end kills a process that nobody else knows of, and waits for it.
func end(pid int) {
	killGroup(pid)
	wait(pid)
}

// limit sets the limits of a process. None is set higher than it is.
func limit(c *processConfig, pid int) error {
	set := func(resource int, name string, most uint64) error {
		var now unix.Rlimit
		err := unix.Prlimit(pid, resource, nil, &now)
		if err == nil {
			most = min(most, now.Max)
			err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
		}
		if err != nil && err != unix.ESRCH { // ESRCH: it has ended
			return unconfinable(c, os.NewSyscallError("prlimit("+name+")", err))
		}
		return nil
	}
	err := set(unix.RLIMIT_CORE, "RLIMIT_CORE", 0)
	if err == nil && c.files > 0 {
		err = set(unix.RLIMIT_NOFILE, "RLIMIT_NOFILE", c.files)
	}
	if err == nil && c.memory > 0 {
		err = set(unix.RLIMIT_DATA, "RLIMIT_DATA", uint64(c.memory))
	}
	return err
}

func unconfinable(c *processConfig, err error) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument,
		"%s: the system refuses to confine the driver's process (%v): permit that call where Berth runs, or set `confine: false` to run the driver without limits and with all privileges of its file",
		c.path, err)
}

// reap waits for the leader's death, kills its group while the number is still the group's, and tells how the leader ended.
func (p *process) reap() string {
	var info unix.Siginfo
	err := again(func() error { return unix.Waitid(unix.P_PID, p.leader, &info, unix.WEXITED|unix.WNOWAIT, nil) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if err != unix.ECHILD { // else somebody has waited for it
		killGroup(p.leader)
	}
	return wait(p.leader)
}

// endSocket makes the socket of a dead leader end behind what was sent, though somebody else may hold it.
func (p *process) endSocket() {
	_ = p.host.CloseRead() // an error is that it is closed
	_ = p.host.CloseWrite()
}
