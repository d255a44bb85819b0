//go:build unix && !linux

package ipc

import "syscall"

func onThread(f func()) { go f() }

// launch starts the executable and returns its number. There is no confinement but the group.
func launch(c *processConfig, attr *syscall.ProcAttr) (int, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	return syscall.ForkExec(c.path, []string{c.path, c.argument}, attr)
}

// reap waits for the leader, kills its group, and tells how the leader ended. Not all of these systems can tell of a death without
// giving the number away. A group keeps its number while one of it lives, so that what is killed is that group, or none: unless in
// the moment between, with nobody left in it, a new process got the number and made a group.
func (p *process) reap() string {
	state := wait(p.leader)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	_ = syscall.Kill(-p.leader, syscall.SIGKILL) // mostly nobody is left
	return state
}

// endSocket does nothing: what was sent and not yet read would be lost here.
func (p *process) endSocket() {}
