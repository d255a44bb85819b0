package filesystem

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// The modes are narrowed by the process's umask, as in distribution.
const (
	dirMode  = 0o777
	fileMode = 0o666
)

// attempts is how often a call begins anew when a directory it needs is removed under it.
const attempts = 10

var _ storagedriver.Backend = (*Driver)(nil)

// Driver is the backend. Its methods may be called concurrently.
type Driver struct {
	storagedriver.Unimplemented

	root *tree
	// slots holds a token for every call that is in the file system. Code of others (the
	// body of a Put) is never run while holding one: it may call this driver.
	slots    chan struct{}
	buffers  sync.Pool // of *[bufferSize]byte
	listings listings
	fresh    freshDirs
	// syncEvery is that of claim.go, but in tests.
	syncEvery time.Duration
}

// Name implements Backend.
func (*Driver) Name() string { return Name }

// Capabilities implements Backend.
func (*Driver) Capabilities() storagedriver.Capabilities {
	abilities := storagedriver.AbilityCopy | storagedriver.AbilityMove | storagedriver.AbilityMoveTree |
		storagedriver.AbilityConcat | storagedriver.AbilityDeleteTree | storagedriver.AbilityIdempotent
	if haveLocks {
		abilities |= storagedriver.AbilityParts | storagedriver.AbilityAppendCommitted | storagedriver.AbilityConditional
	}
	return storagedriver.Capabilities{Abilities: abilities}
}

// Close implements Backend. Bodies that are open go on.
func (d *Driver) Close() error { return classify(d.root.Close(), reading) }

// enter waits for a slot; the caller calls leave once when enter returned nil.
func (d *Driver) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Driver) leave() { <-d.slots }

// rel returns the name in the root directory of the object at path.
func rel(path string) string {
	if path == "/" {
		return "."
	}
	return path[1:]
}

// parent returns the directory of a name that rel returned.
func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}

func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// Stat implements Backend.
func (d *Driver) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if err := d.enter(ctx); err != nil {
		return storagedriver.Entry{}, err
	}
	defer d.leave()
	info, err := d.root.Stat(rel(path))
	if err != nil {
		return storagedriver.Entry{}, classify(err, reading)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return storagedriver.Entry{}, notFound()
	}
	return entry("", info), nil
}

func entry(name string, info fs.FileInfo) storagedriver.Entry {
	if info.IsDir() {
		return storagedriver.Entry{Name: name, ModTime: info.ModTime(), Dir: true}
	}
	return storagedriver.Entry{Name: name, Size: info.Size(), ModTime: info.ModTime()}
}
