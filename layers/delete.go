package layers

import (
	"cmp"
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"golang.org/x/sync/errgroup"
)

// Delete implements storagedriver.StorageDriver.
func (g *gate) Delete(ctx context.Context, path string) error {
	const op = "Delete"
	if err := g.admit(ctx, op, path); err != nil {
		return err
	}
	return g.wrap(ctx, op, path, g.delete(ctx, path))
}

func (g *gate) delete(ctx context.Context, path string) error {
	entry, missing := g.stat(ctx, path)
	switch {
	case missing != nil && storagedriver.KindOf(missing) != storagedriver.KindNotFound:
		return missing
	case missing != nil:
		if err := chunked.Abort(ctx, g.b, path); err != nil {
			return err
		}
		return missing
	case !entry.Dir && !g.has(storagedriver.AbilityFilesUnderFiles):
		return g.deleteFile(ctx, path)
	case g.has(storagedriver.AbilityDeleteTree) && g.has(storagedriver.AbilityParts):
		return g.b.DeleteTree(ctx, path)
	}
	// Before the content, so that nobody resumes at a path that is gone. Uploads below
	// path that parts do not know of are private names in the tree.
	if err := chunked.Abort(ctx, g.b, path); err != nil {
		return err
	}
	return g.deleteTree(ctx, path, entry.Dir)
}

// deleteFile removes a file and ends the upload to it. Both at a time: far away each of them is a round trip or more.
func (g *gate) deleteFile(ctx context.Context, path string) error {
	ended := make(chan error, 1)
	go func() { ended <- chunked.Abort(ctx, g.b, path) }()
	err := g.b.Delete(ctx, path)
	return cmp.Or(<-ended, err) // a caller that hears of the first asks again, and hears that the file has gone
}

// deleteTree removes path and everything below it, private names too.
func (g *gate) deleteTree(ctx context.Context, path string, dir bool) error {
	if g.has(storagedriver.AbilityDeleteTree) {
		return g.b.DeleteTree(ctx, path)
	}
	if dir {
		return g.deleteDir(ctx, path)
	}
	if err := g.deleteBelow(ctx, path); err != nil {
		return err
	}
	return g.b.Delete(ctx, path)
}

// deleteDir removes the directory at path and everything below it. A directory may go with the last file in
// it, and a writer that goes on meanwhile may store another part there: then it is emptied again.
func (g *gate) deleteDir(ctx context.Context, path string) error {
	for n := 1; ; n++ {
		if err := g.deleteBelow(ctx, path); err != nil {
			return err
		}
		err := unlessMissing(g.b.Delete(ctx, path))
		if err == nil || n == emptyAttempts || ctx.Err() != nil {
			return err
		}
	}
}

func (g *gate) deleteBelow(ctx context.Context, path string) error {
	entries, err := g.listPager(path).all(ctx)
	if err != nil {
		return unlessMissing(err)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(treeParallel)
	for i, e := range entries {
		child := storagedriver.JoinPath(path, e.Name)
		switch {
		case e.Dir:
		case i == 0 && storagedriver.IsPrivate(path):
			// Alone, and before the others: without its first segment an upload is none any more, even if the rest
			// has to stay, and does not come back shorter.
			if err := unlessMissing(g.b.Delete(ctx, child)); err != nil {
				return err
			}
		default:
			group.Go(func() error { return unlessMissing(g.b.Delete(inner, child)) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Dir {
			continue
		}
		child := storagedriver.JoinPath(path, e.Name)
		if err := g.deleteDir(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

// emptyAttempts is how often a directory is emptied before it counts as one that cannot be removed: once more than
// a writer has parts in flight by default.
const emptyAttempts = chunked.DefaultParallel + 1

func unlessMissing(err error) error {
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}
