package filesystem

import (
	"context"
	"errors"
	"io/fs"

	"github.com/berth-dev/storagedriver"
)

// Move implements Backend: one rename, for directories too. A directory replaces nothing but
// a hollow directory.
func (d *Driver) Move(ctx context.Context, source, dest string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	from, to := rel(source), rel(dest)
	_, err := d.root.Stat(from)
	switch {
	case err != nil:
		return classify(err, reading)
	case from == to:
		return nil
	case from == "." || to == "." || storagedriver.IsBelow(dest, source):
		return storagedriver.NewError(storagedriver.KindInvalidPath, "a path cannot be moved to below itself")
	}
	for range attempts {
		err := d.settle(nil, "", from, true) // or what is fresh would go under another name
		if err == nil {
			err = d.mkdirs(parent(to))
		}
		if err == nil {
			err = d.place(ctx, from, to)
		}
		if err == nil {
			return classify(d.settle(nil, "", parent(to), false, parent(to), parent(from)), writing)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return classify(err, writing)
		}
		// Either the source has gone or the destination's directory has.
		if _, err := d.root.Stat(from); err != nil {
			return classify(err, reading)
		}
	}
	return removedAgain()
}
