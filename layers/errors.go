package layers

import (
	"context"
	"errors"

	"github.com/berth-dev/storagedriver"
)

// wrap is what every error of a call passes, once.
func (g *gate) wrap(ctx context.Context, op, path string, err error) error {
	if err == nil {
		return nil
	}
	return storagedriver.WrapError(op, g.name, path, ended(ctx, err))
}

// ended makes an error that comes of the context's end one of its kind: a connection that
// breaks because the caller has gone is not the backend's failure.
func ended(ctx context.Context, err error) error {
	cause := ctx.Err()
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	switch storagedriver.KindOf(err) {
	case storagedriver.KindUnknown, storagedriver.KindUnavailable, storagedriver.KindGuest, storagedriver.KindCorrupt,
		storagedriver.KindClosed, storagedriver.KindCanceled, storagedriver.KindDeadline:
		return storagedriver.Errorf(storagedriver.KindOf(cause), "%w", err)
	}
	return err
}

// explain looks, after a write to path has failed, whether it was impossible, where the
// backend does not say so: a file above path, or a directory at it.
func (g *gate) explain(ctx context.Context, path string, err error) error {
	if err == nil || g.has(storagedriver.AbilityFilesUnderFiles) || ctx.Err() != nil {
		return err
	}
	switch storagedriver.KindOf(err) {
	case storagedriver.KindUnknown, storagedriver.KindNotFound, storagedriver.KindConflict, storagedriver.KindPermission,
		storagedriver.KindInvalidArgument, storagedriver.KindUnsupported:
	default:
		return err
	}
	if entry, at := g.b.Stat(ctx, path); at == nil && entry.Dir {
		return storagedriver.Errorf(storagedriver.KindInvalidPath, "there is a directory: %w", err)
	}
	for above, _ := storagedriver.ParentPath(path); above != "/"; above, _ = storagedriver.ParentPath(above) {
		entry, at := g.b.Stat(ctx, above)
		if at != nil {
			continue // missing, or impossible itself because a file is further above
		}
		if !entry.Dir {
			return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a file, and this driver has no files under files: %w", above, err)
		}
		return err
	}
	return err
}
