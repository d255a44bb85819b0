package filesystem_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mountedVariable says that this process has a mount namespace of its own.
const mountedVariable = "FILESYSTEM_TEST_MOUNTS"

// ownMounts runs the test again in a process with a mount namespace of its own, so that what it mounts is seen by nobody
// and goes with it, and returns true in that process. Without root it takes a user namespace as well.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountedVariable) == t.Name() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal("make mounts private:", err)
		}
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$", "-test.timeout=50s")
	cmd.Env = append(os.Environ(), mountedVariable+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		t.Errorf("in a mount namespace of its own: %v\n%s", err, out)
	case os.Getenv("CI") != "":
		t.Fatalf("this test mounts file systems: run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0): %v", err)
	default:
		t.Skipf("this test mounts file systems, and here it may not: %v", err)
	}
	return false
}

// mountSmall mounts an empty file system of the size, with room for so many files, and returns where.
func mountSmall(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal("mount tmpfs:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error("unmount tmpfs:", err) // a file is open
		}
	})
	return dir
}
