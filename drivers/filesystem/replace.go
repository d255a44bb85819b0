package filesystem

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// replace makes what write writes the content at path, atomically and durably. When the
// directory is removed meanwhile it begins anew, so write may run more than once. It is
// called, and calls write, without a slot.
func (d *Driver) replace(ctx context.Context, path string, write func(f *os.File) error) error {
	for range attempts {
		again, err := d.tryReplace(ctx, rel(path), write)
		if err != nil || !again {
			return err
		}
	}
	return removedAgain()
}

func (d *Driver) tryReplace(ctx context.Context, name string, write func(f *os.File) error) (again bool, err error) {
	f, temp, err := d.createTemp(ctx, name)
	if err != nil {
		return false, err
	}
	placed := false
	defer func() {
		if !placed {
			_ = d.root.Remove(temp)
		}
		_ = f.Close() // and its lock is gone
	}()
	if err := write(f); err != nil {
		return false, err
	}
	if err := d.enter(ctx); err != nil {
		return false, err
	}
	defer d.leave()
	if err := d.settle(f, temp, parent(name), false); err != nil {
		return false, classify(err, writing)
	}
	err = d.place(ctx, temp, name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, classify(err, writing)
	}
	placed = true
	return false, classify(d.root.syncDir(parent(name)), writing)
}

// createTemp makes the temporary file of a Put at name, or takes the one that a killed Put left
// there. The caller closes it.
func (d *Driver) createTemp(ctx context.Context, name string) (f *os.File, temp string, err error) {
	if err := d.enter(ctx); err != nil {
		return nil, "", err
	}
	defer d.leave()
	if name == "." {
		return nil, "", isDirectory()
	}
	if err := d.admits(ctx, name); err != nil {
		return nil, "", err
	}
	if haveLocks {
		temp = join(parent(name), tempName(name))
		if f := d.own(temp); f != nil {
			return f, temp, nil
		}
	}
	// Another Put of the same object is under way.
	temp = join(parent(name), "~put-"+rand.Text())
	f, err = d.create(temp, os.O_EXCL)
	return f, temp, err
}

// tempName returns the private name under which a Put finds what a killed Put of the same object
// left. It is a digest, for the object's name may be as long as a name can be.
func tempName(name string) string {
	return fmt.Sprintf("~put-%x", sha256.Sum256([]byte(name[strings.LastIndexByte(name, '/')+1:])))[:40]
}

// own makes or takes the temporary file, locked and empty; or returns nil when it cannot be had:
// another Put has it, or it is some other user's. The caller closes it.
func (d *Driver) own(temp string) *os.File {
	f, err := d.create(temp, 0)
	if err != nil {
		return nil // making another one tells why
	}
	locked, err := tryLock(f)
	switch {
	case err != nil:
		_ = d.root.Remove(temp) // nobody can lock here
	case locked && d.root.isNamed(f, temp) && f.Truncate(0) == nil:
		return f
	}
	_ = f.Close()
	return nil
}

// admits returns KindInvalidPath when name is a directory that is not hollow, whether by itself
// or by a symbolic link.
func (d *Driver) admits(ctx context.Context, name string) error {
	if info, err := d.root.Stat(name); err != nil || !info.IsDir() {
		return nil // what is wrong with the path, making a file tells
	}
	hollow, err := d.isHollow(ctx, name)
	if err == nil && !hollow {
		return isDirectory()
	}
	return classify(err, writing)
}

// place renames from to the name to. A hollow directory there gives way.
func (d *Driver) place(ctx context.Context, from, to string) error {
	for range attempts {
		err := d.root.Rename(from, to)
		if !errors.Is(err, syscall.EISDIR) && !isNotEmpty(err) {
			return err
		}
		err = d.removeHollow(ctx, to)
		if err != nil && !isMissing(err) && !isNotEmpty(err) {
			return err
		}
	}
	return isDirectory()
}
