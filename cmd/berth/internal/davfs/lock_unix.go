//go:build unix

package davfs

import (
	"errors"
	"os"
	"syscall"
)

// acquire locks the directory for this process; the lock ends with the process, however
// it ends.
func acquire(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another process serves this directory; stop it or choose another directory")
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
