package filesystem

import (
	"errors"
	"io/fs"
	"os"
)

// tree is the root directory. Names are relative to it; none leads out of it, whatever symbolic
// links there are. Its methods may be called concurrently.
//
// What the system resolves in one call below a directory is asked of it first (see beneath);
// os.Root, which opens every directory on the way, does the rest and names the errors.
type tree struct {
	root *os.Root
	fast beneath
	// sync: what is to be durable is synced.
	sync bool
	// fsync is os.File.Sync, but in tests of disks that fail.
	fsync func(*os.File) error
	// observe, if any, is told of everything that changes the directory or makes it durable, right
	// after it happened. It stands for the disk in tests that take its power away.
	observe func(effect string, names ...string)
}

func (t *tree) observed(err error, effect string, names ...string) {
	if t.observe != nil && err == nil {
		t.observe(effect, names...)
	}
}

// errElsewhere: the system does not answer; os.Root does.
var errElsewhere = errors.New("not resolved beneath the root directory")

func openTree(name string, sync bool) (*tree, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return &tree{root: root, fast: newBeneath(dir), sync: sync, fsync: (*os.File).Sync}, nil
}

// Close closes the root directory. Files that are open go on.
func (t *tree) Close() error { return errors.Join(t.fast.close(), t.root.Close()) }

// OpenFile is os.Root's. The caller closes the file.
func (t *tree) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := t.fast.openFile(name, flag, mode)
	if err == errElsewhere {
		f, err = t.root.OpenFile(name, flag, mode)
	}
	if flag&os.O_CREATE != 0 {
		t.observed(err, "create", name)
	}
	return f, err
}

// Stat is os.Root's.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	if info, err := t.fast.stat(name, true); err != errElsewhere {
		return info, err
	}
	return t.root.Stat(name)
}

// Lstat is os.Root's.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	if info, err := t.fast.stat(name, false); err != errElsewhere {
		return info, err
	}
	return t.root.Lstat(name)
}

// Mkdir is os.Root's.
func (t *tree) Mkdir(name string, mode fs.FileMode) error {
	err := t.fast.mkdir(name, mode)
	if err == errElsewhere {
		err = t.root.Mkdir(name, mode)
	}
	t.observed(err, "make directory", name)
	return err
}

// Rename is os.Root's.
func (t *tree) Rename(from, to string) error {
	err := t.fast.rename(from, to)
	if err == errElsewhere {
		err = t.root.Rename(from, to)
	}
	t.observed(err, "rename", from, to)
	return err
}

// Remove is os.Root's: it removes a file or an empty directory.
func (t *tree) Remove(name string) error {
	err := t.fast.remove(name)
	if err == errElsewhere {
		err = t.root.Remove(name)
	}
	t.observed(err, "remove", name)
	return err
}

// rmdir removes the directory name if it is empty, and never anything else.
func (t *tree) rmdir(name string) error {
	err := t.fast.rmdir(name)
	if err == errElsewhere {
		err = rmdir(t.root, name)
	}
	t.observed(err, "remove directory", name)
	return err
}

// isNamed reports whether name is the name of f, which its holder may have renamed or removed
// until it gave up the lock.
func (t *tree) isNamed(f *os.File, name string) bool {
	if is, err := t.fast.isNamed(f, name); err != errElsewhere {
		return is
	}
	there, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := t.root.Lstat(name)
	return err == nil && os.SameFile(there, named)
}
