package layers

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

const (
	// listPage is how many entries are asked for at a time: the most that S3 gives.
	listPage = 1000

	// maxContent is the most bytes GetContent holds in memory. A registry's largest
	// are manifests of 4 MiB; the rest is room for other callers, not for blobs.
	maxContent = 128 << 20

	// treeParallel is how many files of a directory are moved or removed at a time.
	treeParallel = 8
)

// Option sets how Complete works.
type Option func(*gate)

// WithBudget makes writers draw on budget instead of chunked.DefaultBudget.
func WithBudget(budget *chunked.Budget) Option {
	return func(g *gate) { g.writers.Budget = budget }
}

// WithPartSize sets the wanted size of parts in bytes, within the backend's limits and
// the budget, instead of chunked.DefaultPartSize.
func WithPartSize(bytes int64) Option {
	return func(g *gate) { g.writers.PartSize = bytes }
}

// WithParallel sets how many parts of one writer may be in flight, instead of
// chunked.DefaultParallel.
func WithParallel(parts int) Option {
	return func(g *gate) { g.writers.Parallel = parts }
}

// WithSuspendTimeout bounds what a writer does detached from its caller's context, which is to
// suspend what it accepted and to clean up after a commit, instead of chunked.SuspendTimeout.
// Not above 0 is the default.
func WithSuspendTimeout(timeout time.Duration) Option {
	return func(g *gate) { g.writers.SuspendTimeout = max(timeout, 0) }
}

var _ storagedriver.StorageDriver = (*gate)(nil)

// gate is the StorageDriver that Complete returns.
type gate struct {
	b       storagedriver.Backend
	name    string
	native  storagedriver.Capabilities // what b declares
	writers chunked.Options
	trace   Trace // nil: none
	closed  atomic.Bool
}

// Complete returns the StorageDriver over b. Closing it closes b.
func Complete(b storagedriver.Backend, opts ...Option) storagedriver.StorageDriver {
	g := &gate{b: b, name: b.Name(), native: b.Capabilities()}
	for _, o := range opts {
		o(g)
	}
	if g.trace != nil {
		return traced{g}
	}
	return g
}

// Name implements storagedriver.StorageDriver.
func (g *gate) Name() string { return g.name }

// Capabilities implements storagedriver.StorageDriver. What only parts can do is
// declared only with them, and the gate's own listings are always sorted.
func (g *gate) Capabilities() storagedriver.Capabilities {
	c := g.native
	c.Abilities &^= storagedriver.AbilityUnsorted
	if !c.Has(storagedriver.AbilityParts) {
		c.Abilities &^= storagedriver.AbilityAppendCommitted | storagedriver.AbilityConditional | storagedriver.AbilityListUploads
	}
	if c.Has(storagedriver.AbilityMoveTree) {
		c.Abilities |= storagedriver.AbilityMove
	}
	return c
}

// Close implements storagedriver.StorageDriver. Closing again is nil.
func (g *gate) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	return g.wrap(context.Background(), "Close", "", g.b.Close())
}

// has reports whether the backend declares the ability; its method is called only then.
func (g *gate) has(a storagedriver.Ability) bool { return g.native.Has(a) }

// admit returns the error of a call with these paths that must not reach the backend.
func (g *gate) admit(ctx context.Context, op string, paths ...string) error {
	for _, path := range paths {
		if err := storagedriver.ValidatePath(path); err != nil {
			return storagedriver.WrapError(op, g.name, path, err)
		}
	}
	return g.admitRoot(ctx, op, paths[0])
}

// admitDirectory is admit for the operations that take "/" as well.
func (g *gate) admitDirectory(ctx context.Context, op, path string) error {
	if path == "/" {
		return g.admitRoot(ctx, op, path)
	}
	return g.admit(ctx, op, path)
}

func (g *gate) admitRoot(ctx context.Context, op, path string) error {
	if g.closed.Load() {
		return storagedriver.WrapError(op, g.name, path, storagedriver.NewError(storagedriver.KindClosed, "the driver has been closed"))
	}
	return g.wrap(ctx, op, path, ctx.Err())
}
