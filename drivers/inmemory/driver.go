package inmemory

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Name is the name the driver is registered under.
const Name = "inmemory"

var (
	_ storagedriver.Backend  = (*Driver)(nil)
	_ storagedriver.OpenFunc = Open
)

// Driver is the backend. Make one with New. Several StorageDrivers completed over one
// Driver share what it holds. Its methods may be called concurrently; Close keeps the
// content, so that a driver can be "reopened".
type Driver struct {
	storagedriver.Unimplemented

	mu   sync.RWMutex
	root *node // a directory; it and all below it are guarded by mu
}

// New returns an empty Driver.
func New() *Driver { return &Driver{root: newDir()} }

// Open is New for the factory. It accepts no parameters.
func Open(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(parameters) > 0 {
		names := make([]string, 0, len(parameters))
		for name := range parameters {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument,
			"unknown parameter %q: the %s driver takes no parameters", strings.Join(names, ", "), Name)
	}
	return New(), nil
}

// Name implements Backend.
func (*Driver) Name() string { return Name }

// Capabilities implements Backend.
func (*Driver) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{
		Abilities: storagedriver.AbilityCopy | storagedriver.AbilityMove | storagedriver.AbilityMoveTree |
			storagedriver.AbilityConcat | storagedriver.AbilityDeleteTree | storagedriver.AbilityIdempotent,
	}
}

// Stat implements Backend.
func (d *Driver) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if err := ctx.Err(); err != nil {
		return storagedriver.Entry{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	n := d.root.find(path)
	if n == nil {
		return storagedriver.Entry{}, notFound()
	}
	return n.entry(""), nil
}

// Read implements Backend. A directory has no content and is KindNotFound.
func (d *Driver) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	c, err := d.file(path)
	if err != nil {
		return nil, 0, err
	}
	if offset < 0 || offset > c.size() {
		return nil, 0, storagedriver.Errorf(storagedriver.KindInvalidOffset, "offset %d of an object of %d bytes", offset, c.size())
	}
	promise := c.size() - offset
	if length >= 0 {
		promise = min(promise, length)
	}
	return &body{ctx: ctx, content: c, offset: offset, end: offset + promise}, promise, nil
}

// Put implements Backend.
func (d *Driver) Put(ctx context.Context, path string, source storagedriver.Source) error {
	c, err := load(ctx, source)
	if err != nil {
		return err
	}
	return d.store(path, c)
}

// Delete implements Backend. A directory is never empty here, hence refused.
func (d *Driver) Delete(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.root.find(path)
	switch {
	case n == nil:
		return notFound()
	case n.isDir():
		return storagedriver.NewError(storagedriver.KindInvalidPath, "the directory is not empty")
	}
	d.root.remove(path)
	return nil
}

// DeleteTree implements Backend.
func (d *Driver) DeleteTree(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if path == "/" {
		d.root = newDir()
		return nil
	}
	if d.root.find(path) == nil {
		return notFound()
	}
	d.root.remove(path)
	return nil
}

// Copy implements Backend. Both paths share the bytes, which never change.
func (d *Driver) Copy(ctx context.Context, source, dest string) error {
	return d.Concat(ctx, dest, []string{source})
}

// Concat implements Backend.
func (d *Driver) Concat(ctx context.Context, dest string, sources []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts := make([]*content, len(sources))
	for i, source := range sources {
		c, err := d.file(source)
		if err != nil {
			return err
		}
		parts[i] = c
	}
	return d.store(dest, join(parts))
}

// Move implements Backend. A directory replaces nothing.
func (d *Driver) Move(ctx context.Context, source, dest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	moved := d.root.find(source)
	switch {
	case moved == nil:
		return notFound()
	case source == "/" || storagedriver.IsBelow(dest, source):
		return storagedriver.NewError(storagedriver.KindInvalidPath, "a path cannot be moved to below itself")
	case source == dest:
		return nil
	}
	if moved.isDir() && d.root.find(dest) != nil {
		return storagedriver.NewError(storagedriver.KindInvalidPath, "a directory cannot replace what is there")
	}
	if err := d.root.admits(dest); err != nil {
		return err
	}
	// Removing first could prune directories that insert makes again: no one sees that
	// under the lock.
	d.root.remove(source)
	d.root.insert(dest, moved)
	return nil
}

// file returns the content at path.
func (d *Driver) file(path string) (*content, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n := d.root.find(path)
	if n == nil || n.isDir() {
		return nil, notFound()
	}
	return n.content, nil
}

// store makes c the content at path.
func (d *Driver) store(path string, c *content) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.root.admits(path); err != nil {
		return err
	}
	d.root.insert(path, &node{content: c, modTime: time.Now()})
	return nil
}

func notFound() error { return storagedriver.NewError(storagedriver.KindNotFound, "nothing is there") }
