//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package filesystem

import (
	"os"

	"github.com/berth-dev/storagedriver"
)

const (
	haveLocks = false
	dirsSync  = false
	openFlags = 0
)

func tryLock(*os.File) (bool, error) {
	return false, storagedriver.NewError(storagedriver.KindUnsupported, "uploads in parts need flock, which this system has not")
}

// rmdir removes the directory name if it is empty. A file that takes its place at that very
// moment may go with it.
func rmdir(root *os.Root, name string) error { return root.Remove(name + "/") }
