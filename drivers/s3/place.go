package s3

import (
	"context"
	"errors"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

// placeAttempts is how often a write is tried where the service says that a directory is in the way and there is none any more.
const placeAttempts = 5

// placed runs a write to path. Where there can be no file below a file it fails with KindInvalidPath if there is
// one: because the service says so, or because the driver looks first.
func (d *Driver) placed(ctx context.Context, path string, write func() error) error {
	if d.config.FilesUnderFiles == FilesAllowed {
		return write()
	}
	if d.config.FilesUnderFiles == FilesChecked {
		if err := d.place(ctx, path); err != nil {
			return err
		}
	}
	for attempt := 1; ; attempt++ {
		err := write()
		again := false
		switch storagedriver.KindOf(err) {
		case storagedriver.KindInvalidPath:
			again = true
		case storagedriver.KindPermission:
			again = d.config.FilesUnderFiles == FilesChecked // what minio says of a directory that is just being removed
		case storagedriver.KindConflict, storagedriver.KindUnavailable:
		default:
			return err
		}
		if wrong := d.place(ctx, path); wrong != nil {
			return wrong
		}
		if attempt == placeAttempts || !again {
			return err
		}
	}
}

// place returns KindInvalidPath where there can be no file: below one, or in the place of a directory.
func (d *Driver) place(ctx context.Context, path string) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(d.config.Parallel)
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		above := path[:i]
		group.Go(func() error {
			_, err := d.head(inner, d.key(above))
			switch storagedriver.KindOf(err) {
			case storagedriver.KindNotFound:
				return nil
			}
			if err == nil {
				err = storagedriver.NewError(storagedriver.KindInvalidPath, above+" is a file")
			}
			return err
		})
	}
	group.Go(func() error {
		dir, err := d.hasBelow(inner, path)
		if err == nil && dir {
			err = storagedriver.NewError(storagedriver.KindInvalidPath, "there is a directory")
		}
		return err
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
