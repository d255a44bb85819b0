package chunked

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// DefaultParallel is how many parts of one writer are in flight: enough to hide the
	// round trips of one connection behind another's transfer, few enough that eight
	// writers fit DefaultBudgetSize.
	DefaultParallel = 4

	// SuspendTimeout bounds what runs detached from the caller's context: a Close with all
	// that it suspends, and the removal of state after a commit. A pod has 30 s of grace by
	// default, and a full default budget needs 9 MB/s to be stored in that time. Asking
	// for the size after a suspend that failed may take a quarter of it more.
	SuspendTimeout = 30 * time.Second

	// PartAttempts is how often a part is sent before it counts as failed: once for
	// the part, once for an instance or connection that died under it, once for a
	// backend that asked for patience.
	PartAttempts = 3

	// maxRetryAfter is the longest pause between two attempts that a backend can ask
	// for; what takes longer is the client's to repeat.
	maxRetryAfter = 5 * time.Second

	// retryPause is the pause before the last attempt where the backend did not say.
	retryPause = 200 * time.Millisecond

	// removeParallel is how many segments are removed at a time after a commit.
	removeParallel = 8
)

// Options set what writers need. The zero value is usable.
type Options struct {
	// Budget bounds the memory; nil is DefaultBudget.
	Budget *Budget
	// PartSize is the wanted size of parts in bytes, within the backend's limits and
	// the budget; 0 is what the backend wants, or DefaultPartSize.
	PartSize int64
	// Parallel is how many parts of one writer may be in flight; 0 is what the backend wants, or
	// DefaultParallel.
	Parallel int
	// SuspendTimeout bounds what runs detached from the caller's context; 0 is the constant
	// SuspendTimeout.
	SuspendTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Budget == nil {
		o.Budget = DefaultBudget()
	}
	if o.SuspendTimeout <= 0 {
		o.SuspendTimeout = SuspendTimeout
	}
	return o
}

// of returns o with the size and the number of parts that a backend with l gets.
func (o Options) of(l storagedriver.PartLimits) Options {
	for _, size := range []int64{l.Want, DefaultPartSize} {
		if o.PartSize <= 0 {
			o.PartSize = size
		}
	}
	for _, n := range []int{l.Parallel, DefaultParallel} {
		if o.Parallel <= 0 {
			o.Parallel = n
		}
	}
	return o
}

// Open opens an upload to path, which the caller has validated, as StorageDriver.Writer
// says. When ctx ends the writer suspends itself. Errors are not wrapped.
//
// The writer draws on the budget from its first Write on, and returns what it drew in
// Close, Commit or Cancel.
func Open(ctx context.Context, b storagedriver.Backend, path string, append bool, o Options) (*Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	capabilities := b.Capabilities()
	if !append {
		if err := Abort(ctx, b, path); err != nil {
			return nil, err
		}
	}
	if capabilities.Has(storagedriver.AbilityParts) {
		upload, err := b.OpenUpload(ctx, path, append)
		if err != nil {
			return nil, err
		}
		if err := checkUpload(upload); err != nil {
			return nil, err
		}
		return newWriter(ctx, &native{b: b, path: path}, upload, capabilities.MaxObject, o)
	}
	d, upload, err := openDerived(ctx, b, path, append, o)
	if err != nil {
		return nil, err
	}
	return newWriter(ctx, d, upload, capabilities.MaxObject, o)
}

// Abort ends the unfinished uploads to path and removes their state. None is nil. Of a
// backend with AbilityParts it ends those to everything below path as well.
func Abort(ctx context.Context, b storagedriver.Backend, path string) error {
	if b.Capabilities().Has(storagedriver.AbilityParts) {
		return b.AbortUploads(ctx, path)
	}
	return abortDerived(ctx, b, path)
}
