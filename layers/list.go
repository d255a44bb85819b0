package layers

import (
	"context"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// List implements storagedriver.StorageDriver.
func (g *gate) List(ctx context.Context, path string) ([]string, error) {
	const op = "List"
	if err := g.admitDirectory(ctx, op, path); err != nil {
		return nil, err
	}
	children, err := g.list(ctx, path)
	return children, g.wrap(ctx, op, path, err)
}

func (g *gate) list(ctx context.Context, path string) ([]string, error) {
	entries, err := g.listPager(path).all(ctx)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return []string{}, g.isDirectory(ctx, path)
	}
	children := make([]string, 0, len(entries))
	for _, e := range entries {
		if public(e.Name) {
			children = append(children, storagedriver.JoinPath(path, e.Name))
		}
	}
	slices.Sort(children) // a directory's name counts without its "/" here
	return slices.Compact(children), nil
}

// isDirectory returns KindNotFound unless there is a directory at path, whose listing was empty:
// where directories do not exist by themselves that says nothing.
func (g *gate) isDirectory(ctx context.Context, path string) error {
	if path == "/" {
		return nil
	}
	entry, err := g.stat(ctx, path)
	if err == nil && !entry.Dir {
		return storagedriver.NewError(storagedriver.KindNotFound, "it is a file")
	}
	return err
}
