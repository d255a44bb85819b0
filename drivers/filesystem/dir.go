package filesystem

import (
	"context"
	"io"
	"io/fs"
)

// batch is how many entries of a directory are removed between two readings of it, and looked at
// between two looks at the context.
const batch = 1024

// dirEntry is an entry of a directory.
type dirEntry struct {
	name string
	dir  bool
}

// readDir returns at most limit entries of a directory, in no order; all if limit is negative.
func (d *Driver) readDir(dir string, limit int) (entries []dirEntry, err error) {
	f, err := d.root.openDir(dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	err = f.scan(func(name string, mode fs.FileMode) error {
		if entries = append(entries, dirEntry{name, mode.IsDir()}); len(entries) == limit {
			return io.EOF
		}
		return nil
	})
	if err == io.EOF {
		err = nil
	}
	return entries, err
}

// each calls f for every entry of a directory, in no order, until it returns an error.
func (d *Driver) each(ctx context.Context, dir string, f func(name string, mode fs.FileMode) error) error {
	open, err := d.root.openDir(dir)
	if err != nil {
		return err
	}
	defer open.close()
	return eachOf(ctx, open, f)
}

// eachOf is each of a directory that is open.
func eachOf(ctx context.Context, dir directory, f func(name string, mode fs.FileMode) error) error {
	left := batch
	return dir.scan(func(name string, mode fs.FileMode) error {
		if left--; left == 0 {
			left = batch
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return f(name, mode)
	})
}

// isHollow reports whether name is a directory and nothing is below it but directories: what
// deleted objects leave, which is nothing to a store.
func (d *Driver) isHollow(ctx context.Context, name string) (bool, error) {
	hollow := true
	var dirs []string
	err := d.each(ctx, name, func(child string, mode fs.FileMode) error {
		if !mode.IsDir() {
			hollow = false
			return io.EOF
		}
		dirs = append(dirs, child)
		return nil
	})
	if err == io.EOF || isMissing(err) {
		return hollow, nil
	}
	for _, child := range dirs {
		if err != nil || !hollow {
			break
		}
		hollow, err = d.isHollow(ctx, join(name, child))
	}
	return hollow, err
}

// removeHollow removes a directory for which isHollow holds. Where others have stored something
// since it stops.
func (d *Driver) removeHollow(ctx context.Context, dir string) error {
	err := d.rmdir(dir)
	if !isNotEmpty(err) {
		return err
	}
	hollow, err := d.isHollow(ctx, dir)
	if err != nil {
		return err
	}
	if !hollow {
		return isDirectory()
	}
	entries, err := d.readDir(dir, -1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.removeHollow(ctx, join(dir, e.name)); err != nil && !isMissing(err) {
			return err
		}
	}
	return d.rmdir(dir)
}
