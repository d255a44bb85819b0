package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// mkdirs makes the directory dir and those above it, durably. Others may do so at the same
// time, or remove them: the caller tries again on fs.ErrNotExist.
func (d *Driver) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	err := d.root.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.mkdirs(parent(dir)); err != nil {
			return err
		}
		err = d.root.Mkdir(dir, dirMode)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // when it is no directory, what follows fails with ENOTDIR
	case err != nil:
		return err
	}
	return d.syncDir(parent(dir))
}

// syncDir makes the names in dir durable. A directory that has gone has none; some file
// systems keep directories durable by themselves and refuse.
func (d *Driver) syncDir(dir string) error {
	f, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || err != nil && !dirsSync {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if !dirsSync || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// create makes the file name, or opens it as flag (0 or os.O_EXCL) says, and makes
// the directories above it. The caller closes it.
func (d *Driver) create(name string, flag int) (*os.File, error) {
	for range attempts {
		f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|flag, fileMode)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = d.mkdirs(parent(name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, classify(err, writing)
		}
	}
	return nil, removedAgain()
}
