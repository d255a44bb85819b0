//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filesystem

import (
	"errors"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/storagedriver"
)

const (
	// haveLocks: tryLock works.
	haveLocks = true
	// dirsSync: directories can be opened and synced.
	dirsSync = true
	// openFlags keep the opening of a pipe from waiting for its other end.
	openFlags = syscall.O_NONBLOCK
)

// tryLock locks f against every other open file description, until f is closed. It reports
// whether it could.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, errors.ErrUnsupported):
			return false, storagedriver.Errorf(storagedriver.KindUnsupported, "the file system cannot lock files: %w", err)
		default:
			return false, classify(err, writing)
		}
	}
}

// rmdir removes the directory name if it is empty, and never anything else: that of os.Root
// removes files too.
func rmdir(root *os.Root, name string) error {
	dir, err := root.Open(parent(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		err := unix.Unlinkat(int(dir.Fd()), path.Base(name), unix.AT_REMOVEDIR)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "rmdir", Path: name, Err: err}
		}
	}
}
