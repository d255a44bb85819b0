package timeout

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// New returns b with the deadlines of c. It hands on b's capabilities; closing it closes b. It
// panics when c.Check has an error.
func New(b storagedriver.Backend, c Config) storagedriver.Backend {
	if err := c.Check(); err != nil {
		panic("timeout.New: " + err.Error())
	}
	return &backend{
		Backend:   b,
		operation: bound{"operation", c.Operation, "no answer"},
		bulk:      bound{"bulk", c.Bulk, "no answer"},
		progress:  bound{"progress", c.Progress, "no byte moved and there was no answer"},
		buffers:   &sync.Pool{New: func() any { return new([bufferSize]byte) }},
	}
}

// backend passes Name, Capabilities and Close on.
type backend struct {
	storagedriver.Backend
	operation, bulk, progress bound
	buffers                   *sync.Pool
}

// within runs a call under a deadline.
func within(ctx context.Context, b bound, f func(context.Context) error) error {
	if b.limit == 0 {
		return f(ctx)
	}
	w := newWatch(ctx, b)
	defer w.end()
	return w.explain(f(w.ctx))
}

func answered[T any](ctx context.Context, b bound, f func(context.Context) (T, error)) (answer T, err error) {
	err = within(ctx, b, func(ctx context.Context) (err error) {
		answer, err = f(ctx)
		return err
	})
	return answer, err
}

// sends runs a call with a body: each byte of it starts the clock again, and its end has the clock
// run with last.
func (b *backend) sends(ctx context.Context, body storagedriver.Source, last bound, f func(context.Context, storagedriver.Source) error) error {
	first := b.progress
	if body == nil {
		first = last
	}
	if first.limit == 0 && last.limit == 0 {
		return f(ctx, body)
	}
	w := newWatch(ctx, first)
	defer w.end()
	if body != nil {
		body = &watchedSource{body, w, first, last}
	}
	return w.explain(f(w.ctx, body))
}

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return answered(ctx, b.operation, func(ctx context.Context) (storagedriver.Entry, error) { return b.Backend.Stat(ctx, path) })
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.operation, func(ctx context.Context) (storagedriver.Page, error) {
		return b.Backend.List(ctx, path, cursor, limit)
	})
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.operation, func(ctx context.Context) (storagedriver.Page, error) {
		return b.Backend.ListTree(ctx, path, startAfter, cursor, limit)
	})
}

// Read implements storagedriver.Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	first := b.operation
	if first.limit == 0 {
		first = b.progress
	}
	if first.limit == 0 {
		return b.Backend.Read(ctx, path, offset, length)
	}
	w := newWatch(ctx, first)
	r, promise, err := b.Backend.Read(w.ctx, path, offset, length)
	if err != nil {
		w.end()
		return nil, 0, w.explain(err)
	}
	w.pause()
	return b.watched(r, w), promise, nil
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return b.sends(ctx, body, b.progress, func(ctx context.Context, body storagedriver.Source) error {
		return b.Backend.Put(ctx, path, body)
	})
}

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return within(ctx, b.operation, func(ctx context.Context) error { return b.Backend.Delete(ctx, path) })
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	return within(ctx, b.bulk, func(ctx context.Context) error { return b.Backend.DeleteTree(ctx, path) })
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	return within(ctx, b.bulk, func(ctx context.Context) error { return b.Backend.Copy(ctx, source, dest) })
}

// Move implements storagedriver.Backend.
func (b *backend) Move(ctx context.Context, source, dest string) error {
	return within(ctx, b.bulk, func(ctx context.Context) error { return b.Backend.Move(ctx, source, dest) })
}

// Concat implements storagedriver.Backend.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	return within(ctx, b.bulk, func(ctx context.Context) error { return b.Backend.Concat(ctx, dest, sources) })
}

// Redirect implements storagedriver.Backend.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	return answered(ctx, b.operation, func(ctx context.Context) (string, error) { return b.Backend.Redirect(ctx, path, options) })
}

// OpenUpload implements storagedriver.Uploads.
func (b *backend) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	upload, err := answered(ctx, b.operation, func(ctx context.Context) (storagedriver.Upload, error) {
		return b.Backend.OpenUpload(ctx, path, append)
	})
	if upload.Tail != nil {
		upload.Tail = tail{upload.Tail, b}
	}
	return upload, err
}

// PutPart implements storagedriver.Uploads.
func (b *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) (receipt []byte, err error) {
	err = b.sends(ctx, part.Body, b.progress, func(ctx context.Context, body storagedriver.Source) (err error) {
		part.Body = body
		receipt, err = b.Backend.PutPart(ctx, token, part)
		return err
	})
	return receipt, err
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return b.sends(ctx, tail, b.progress, func(ctx context.Context, tail storagedriver.Source) error {
		return b.Backend.SuspendUpload(ctx, token, receipts, tail)
	})
}

// CommitUpload implements storagedriver.Uploads.
func (b *backend) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return b.sends(ctx, last, b.bulk, func(ctx context.Context, last storagedriver.Source) error {
		return b.Backend.CommitUpload(ctx, token, receipts, last)
	})
}

// CancelUpload implements storagedriver.Uploads.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	return within(ctx, b.operation, func(ctx context.Context) error { return b.Backend.CancelUpload(ctx, token) })
}

// AbortUploads implements storagedriver.Uploads.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	return within(ctx, b.bulk, func(ctx context.Context) error { return b.Backend.AbortUploads(ctx, path) })
}

// ListUploads implements storagedriver.Uploads.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b.operation, func(ctx context.Context) (storagedriver.Page, error) {
		return b.Backend.ListUploads(ctx, path, cursor, limit)
	})
}
