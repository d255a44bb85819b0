package filesystem

import (
	"context"
	"io"
	"io/fs"
	"os"
)

// batch is how many entries of a directory are in memory at one time.
const batch = 1024

// readDir returns at most limit entries of a directory, in no order.
func (d *Driver) readDir(dir string, limit int) ([]fs.DirEntry, error) {
	f, err := d.openDir(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(limit)
	if err == io.EOF {
		err = nil
	}
	return entries, err
}

// each calls f for every entry of a directory, in no order, until it returns an error.
func (d *Driver) each(ctx context.Context, dir string, f func(fs.DirEntry) error) error {
	open, err := d.openDir(dir)
	if err != nil {
		return err
	}
	defer open.Close()
	for {
		entries, err := open.ReadDir(batch)
		for _, e := range entries {
			if err := f(e); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (d *Driver) openDir(dir string) (*os.File, error) {
	return d.root.OpenFile(dir, os.O_RDONLY|openFlags, 0)
}

// isHollow reports whether name is a directory and nothing is below it but directories: what
// deleted objects leave, which is nothing to a store.
func (d *Driver) isHollow(ctx context.Context, name string) (bool, error) {
	hollow := true
	var dirs []string
	err := d.each(ctx, name, func(e fs.DirEntry) error {
		if !e.IsDir() {
			hollow = false
			return io.EOF
		}
		dirs = append(dirs, e.Name())
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
	err := rmdir(d.root, dir)
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
		if err := d.removeHollow(ctx, join(dir, e.Name())); err != nil && !isMissing(err) {
			return err
		}
	}
	return rmdir(d.root, dir)
}
