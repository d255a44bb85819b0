package retry

import (
	"context"
	"io"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// New returns b with calls repeated as c says. It hands on b's capabilities; closing it closes b.
// It panics when a field of c is out of
// its range.
func New(b storagedriver.Backend, c Config) storagedriver.Backend {
	c = c.withDefaults()
	if err := c.Check(); err != nil {
		panic("retry.New: " + err.Error())
	}
	return &backend{
		Backend: b, idempotent: b.Capabilities().Has(storagedriver.AbilityIdempotent),
		retrier: &retrier{config: c, budget: newBudget(c.Budget)},
	}
}

// backend passes Name, Capabilities, Close, Move, PutPart and CommitUpload on.
type backend struct {
	storagedriver.Backend
	*retrier
	idempotent bool
}

// answered is do for calls that return more than an error.
func answered[T any](ctx context.Context, r *retrier, f func() (T, error)) (T, error) {
	var answer T
	err := r.do(ctx, func(int) (err error) {
		answer, err = f()
		return err
	})
	return answer, err
}

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return answered(ctx, b.retrier, func() (storagedriver.Entry, error) { return b.Backend.Stat(ctx, path) })
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.retrier, func() (storagedriver.Page, error) { return b.Backend.List(ctx, path, cursor, limit) })
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.retrier, func() (storagedriver.Page, error) {
		return b.Backend.ListTree(ctx, path, startAfter, cursor, limit)
	})
}

// Redirect implements storagedriver.Backend.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	return answered(ctx, b.retrier, func() (string, error) { return b.Backend.Redirect(ctx, path, options) })
}

// Read implements storagedriver.Backend. The opening is repeated, and nothing of the body.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	var promise int64
	body, err := answered(ctx, b.retrier, func() (body io.ReadCloser, err error) {
		body, promise, err = b.Backend.Read(ctx, path, offset, length)
		return body, err
	})
	return body, promise, err
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return b.send(ctx, body, func(body storagedriver.Source) error { return b.Backend.Put(ctx, path, body) })
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return b.send(ctx, tail, func(tail storagedriver.Source) error {
		return b.Backend.SuspendUpload(ctx, token, receipts, tail)
	})
}

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return b.remove(ctx, func() error { return b.Backend.Delete(ctx, path) })
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	return b.remove(ctx, func() error { return b.Backend.DeleteTree(ctx, path) })
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	return b.change(ctx, func(int) error { return b.Backend.Copy(ctx, source, dest) })
}

// Concat implements storagedriver.Backend. One that changes a source of its own is not repeated: the second time
// it would join something else.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	if slices.Contains(sources, dest) {
		return b.Backend.Concat(ctx, dest, sources)
	}
	return b.change(ctx, func(int) error { return b.Backend.Concat(ctx, dest, sources) })
}

// OpenUpload implements storagedriver.Uploads. So is the opening of its tail.
func (b *backend) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	upload, err := answered(ctx, b.retrier, func() (storagedriver.Upload, error) { return b.Backend.OpenUpload(ctx, path, append) })
	if upload.Tail != nil {
		upload.Tail = tail{upload.Tail, b.retrier}
	}
	return upload, err
}

// CancelUpload implements storagedriver.Uploads.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	return b.do(ctx, gone(func() error { return b.Backend.CancelUpload(ctx, token) }))
}

// AbortUploads implements storagedriver.Uploads.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	return b.do(ctx, func(int) error { return b.Backend.AbortUploads(ctx, path) })
}

// ListUploads implements storagedriver.Uploads.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.retrier, func() (storagedriver.Page, error) { return b.Backend.ListUploads(ctx, path, cursor, limit) })
}

// change runs a call that is repeated where the backend is idempotent.
func (b *backend) change(ctx context.Context, f func(attempt int) error) error {
	if !b.idempotent {
		return f(1)
	}
	return b.do(ctx, f)
}

func (b *backend) remove(ctx context.Context, f func() error) error {
	return b.change(ctx, gone(f))
}

// gone makes nil of KindNotFound from the second attempt on: the first has removed it, and the
// answer was lost.
func gone(f func() error) func(int) error {
	return func(attempt int) error {
		err := f()
		if attempt > 1 && storagedriver.KindOf(err) == storagedriver.KindNotFound {
			return nil
		}
		return err
	}
}
