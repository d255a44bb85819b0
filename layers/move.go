package layers

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"golang.org/x/sync/errgroup"
)

// Move implements storagedriver.StorageDriver.
func (g *gate) Move(ctx context.Context, sourcePath, destPath string) error {
	const op = "Move"
	if err := g.admit(ctx, op, sourcePath, destPath); err != nil {
		return err
	}
	return g.wrap(ctx, op, sourcePath, g.move(ctx, sourcePath, destPath))
}

func (g *gate) move(ctx context.Context, source, dest string) error {
	// Both at a time: a round trip is what each of them costs.
	var to storagedriver.Entry
	var toErr error
	var looking sync.WaitGroup
	looking.Go(func() { to, toErr = g.stat(ctx, dest) })
	from, err := g.stat(ctx, source)
	looking.Wait()
	if err != nil {
		return err
	}
	if err := g.mayMove(ctx, source, dest, from, to, toErr); err != nil {
		return err
	}
	// Before the content, so that nobody resumes at the new path.
	var ending errgroup.Group // one that fails does not stop the other half-way
	ending.Go(func() error { return g.abort(ctx, source) })
	ending.Go(func() error { return g.abort(ctx, dest) })
	if err := ending.Wait(); err != nil {
		return err
	}
	switch {
	case source == dest:
		return nil
	case from.Dir:
		err = g.moveDirectory(ctx, source, dest)
	default:
		err = g.moveFile(ctx, source, dest, from.Size)
	}
	return g.explain(ctx, dest, err)
}

// abort ends the unfinished uploads to path and to what is below a file there. Those below a
// directory end with it, or with the directory that it takes the place of.
func (g *gate) abort(ctx context.Context, path string) error {
	if err := chunked.Abort(ctx, g.b, path); err != nil {
		return err
	}
	if g.has(storagedriver.AbilityParts) || !g.has(storagedriver.AbilityFilesUnderFiles) {
		return nil
	}
	return g.deletePrivate(ctx, path)
}

// mayMove returns KindInvalidPath for a move that cannot be, before anything is changed.
func (g *gate) mayMove(ctx context.Context, source, dest string, from, to storagedriver.Entry, err error) error {
	if source == dest {
		return nil
	}
	both := !from.Dir && g.has(storagedriver.AbilityFilesUnderFiles) // the file may be there beside a directory
	if storagedriver.IsBelow(dest, source) && !both {
		return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is below what is to be moved", dest)
	}
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return nil
	case err != nil:
		return g.explain(ctx, dest, err)
	case to.Dir && !both:
		return g.vacate(ctx, dest)
	case !to.Dir && from.Dir && !g.has(storagedriver.AbilityFilesUnderFiles):
		return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a file, and what is to be moved is a directory", dest)
	}
	return nil
}

// vacate removes the directory at dest if it holds nothing but private names, which is as
// good as missing, and returns KindInvalidPath otherwise.
func (g *gate) vacate(ctx context.Context, dest string) error {
	for p := g.listPager(dest); p.more(); {
		entries, err := p.next(ctx)
		if err != nil {
			return unlessMissing(err)
		}
		for _, e := range entries {
			if !storagedriver.IsPrivate(e.Name) {
				return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a directory that is not empty", dest)
			}
		}
	}
	return unlessMissing(g.deleteTree(ctx, dest, true))
}

func (g *gate) moveFile(ctx context.Context, source, dest string, size int64) error {
	switch {
	case g.has(storagedriver.AbilityMove) || g.has(storagedriver.AbilityMoveTree):
		return g.b.Move(ctx, source, dest)
	case g.has(storagedriver.AbilityCopy):
		if err := g.b.Copy(ctx, source, dest); err != nil {
			return err
		}
	default:
		if err := chunked.PutStored(ctx, g.b, dest, storedFile{gate: g, path: source, size: size}); err != nil {
			return err
		}
	}
	return g.b.Delete(ctx, source)
}

// storedFile is a file of the backend as a Source.
type storedFile struct {
	gate *gate
	path string
	size int64
}

func (s storedFile) Size() int64 { return s.size }

func (s storedFile) Open(ctx context.Context) (io.ReadCloser, error) {
	body, size, err := s.gate.read(ctx, s.path, 0)
	if err != nil {
		return nil, err
	}
	if size != s.size {
		_ = body.Close()
		return nil, storagedriver.Errorf(storagedriver.KindConflict, "%s had %d bytes and now has %d", s.path, s.size, size)
	}
	return body, nil
}

func (g *gate) moveDirectory(ctx context.Context, source, dest string) error {
	if g.has(storagedriver.AbilityMoveTree) {
		if err := g.deletePrivate(ctx, source); err != nil {
			return err
		}
		return g.b.Move(ctx, source, dest)
	}
	if err := g.moveBelow(ctx, source, dest); err != nil {
		return err
	}
	return unlessMissing(g.deleteTree(ctx, source, true))
}

// moveBelow moves the files below source one by one, and leaves what is private.
func (g *gate) moveBelow(ctx context.Context, source, dest string) error {
	entries, err := g.listPager(source).all(ctx)
	if err != nil {
		return unlessMissing(err)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(treeParallel)
	for _, e := range entries {
		if e.Dir || storagedriver.IsPrivate(e.Name) {
			continue
		}
		group.Go(func() error {
			return g.moveFile(inner, storagedriver.JoinPath(source, e.Name), storagedriver.JoinPath(dest, e.Name), e.Size)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Dir || storagedriver.IsPrivate(e.Name) {
			continue
		}
		if err := g.moveBelow(ctx, storagedriver.JoinPath(source, e.Name), storagedriver.JoinPath(dest, e.Name)); err != nil {
			return err
		}
	}
	return nil
}

// deletePrivate removes what is private below path, so that no upload moves along.
func (g *gate) deletePrivate(ctx context.Context, path string) error {
	entries, err := g.listPager(path).all(ctx)
	if err != nil {
		return unlessMissing(err)
	}
	for _, e := range entries {
		child := storagedriver.JoinPath(path, e.Name)
		switch {
		case storagedriver.IsPrivate(e.Name) && e.Dir:
			err = unlessMissing(g.deleteTree(ctx, child, true))
		case storagedriver.IsPrivate(e.Name):
			err = unlessMissing(g.b.Delete(ctx, child))
		case e.Dir:
			err = g.deletePrivate(ctx, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
