package filesystem

import (
	"context"
	"errors"
	"io/fs"
)

// Delete implements Backend.
func (d *Driver) Delete(ctx context.Context, path string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	if path == "/" {
		return isDirectory()
	}
	return classify(d.remove(rel(path)), reading)
}

// remove removes a file or an empty directory, durably.
func (d *Driver) remove(name string) error {
	if err := d.root.Remove(name); err != nil {
		return err
	}
	return d.root.syncDir(parent(name))
}

// DeleteTree implements Backend. What others store below path meanwhile may remain.
func (d *Driver) DeleteTree(ctx context.Context, path string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	// Those below path are names in its tree.
	if path != "/" {
		if err := d.removeUpload(ctx, uploadDir(path)); err != nil {
			return classify(err, reading)
		}
	}
	info, err := d.root.Lstat(rel(path))
	switch {
	case err != nil:
		return classify(err, reading)
	case !info.IsDir():
		return classify(d.remove(rel(path)), reading)
	}
	if err := d.removeTree(ctx, rel(path)); err != nil {
		return classify(err, reading)
	}
	// What was in the directory is gone with its name.
	return classify(d.root.syncDir(parent(rel(path))), reading)
}

// removeTree removes the directory and all below it. The root directory itself stays.
func (d *Driver) removeTree(ctx context.Context, dir string) error {
	for range attempts {
		if err := d.removeChildren(ctx, dir); err != nil || dir == "." {
			return err
		}
		err := d.rmdir(dir)
		if err == nil || isMissing(err) {
			return nil
		}
		if !isNotEmpty(err) {
			return err
		}
		// Somebody has put or renamed something there since.
	}
	return busy("others go on storing in the directory")
}

// removeChildren opens the directory anew for each batch: what a directory that is open gives
// after a removal is not certain everywhere.
func (d *Driver) removeChildren(ctx context.Context, dir string) error {
	for {
		entries, err := d.readDir(dir, batch)
		if isMissing(err) || err == nil && len(entries) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := join(dir, e.name)
			if e.dir {
				err = d.removeTree(ctx, name)
			} else {
				err = d.root.Remove(name)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
}
