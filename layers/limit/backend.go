package limit

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// New returns b with no more calls at one time than c says. It hands on b's capabilities; closing it
// closes b. It panics when c.Check has an error.
func New(b storagedriver.Backend, c Config) storagedriver.Backend {
	if err := c.Check(); err != nil {
		panic("limit.New: " + err.Error())
	}
	return &backend{Backend: b, places: newPlaces(c)}
}

// backend passes Name, Capabilities and Close on.
type backend struct {
	storagedriver.Backend
	places *places
}

// run runs a call in its place.
func (b *backend) run(ctx context.Context, f func() error) error {
	release, err := b.places.take(ctx, false)
	if err != nil {
		return err
	}
	defer release()
	return f()
}

func answered[T any](ctx context.Context, b *backend, f func() (T, error)) (answer T, err error) {
	err = b.run(ctx, func() (err error) {
		answer, err = f()
		return err
	})
	return answer, err
}

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return answered(ctx, b, func() (storagedriver.Entry, error) { return b.Backend.Stat(ctx, path) })
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b, func() (storagedriver.Page, error) { return b.Backend.List(ctx, path, cursor, limit) })
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b, func() (storagedriver.Page, error) { return b.Backend.ListTree(ctx, path, startAfter, cursor, limit) })
}

// Read implements storagedriver.Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	release, err := b.places.take(ctx, true)
	if err != nil {
		return nil, 0, err
	}
	r, promise, err := b.Backend.Read(ctx, path, offset, length)
	if err != nil {
		release()
		return nil, 0, err
	}
	return hold(r, release), promise, nil
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return b.run(ctx, func() error { return b.Backend.Put(ctx, path, b.fed(body)) })
}

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return b.run(ctx, func() error { return b.Backend.Delete(ctx, path) })
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	return b.run(ctx, func() error { return b.Backend.DeleteTree(ctx, path) })
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	return b.run(ctx, func() error { return b.Backend.Copy(ctx, source, dest) })
}

// Move implements storagedriver.Backend.
func (b *backend) Move(ctx context.Context, source, dest string) error {
	return b.run(ctx, func() error { return b.Backend.Move(ctx, source, dest) })
}

// Concat implements storagedriver.Backend.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	return b.run(ctx, func() error { return b.Backend.Concat(ctx, dest, sources) })
}

// Redirect implements storagedriver.Backend.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	return answered(ctx, b, func() (string, error) { return b.Backend.Redirect(ctx, path, options) })
}

// OpenUpload implements storagedriver.Uploads. The body of its tail has a place like that of a Read.
func (b *backend) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	upload, err := answered(ctx, b, func() (storagedriver.Upload, error) { return b.Backend.OpenUpload(ctx, path, append) })
	if upload.Tail != nil {
		upload.Tail = tail{upload.Tail, b.places}
	}
	return upload, err
}

// PutPart implements storagedriver.Uploads.
func (b *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	part.Body = b.fed(part.Body)
	return answered(ctx, b, func() ([]byte, error) { return b.Backend.PutPart(ctx, token, part) })
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return b.run(ctx, func() error { return b.Backend.SuspendUpload(ctx, token, receipts, b.fed(tail)) })
}

// CommitUpload implements storagedriver.Uploads.
func (b *backend) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return b.run(ctx, func() error { return b.Backend.CommitUpload(ctx, token, receipts, b.fed(last)) })
}

// CancelUpload implements storagedriver.Uploads.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	return b.run(ctx, func() error { return b.Backend.CancelUpload(ctx, token) })
}

// AbortUploads implements storagedriver.Uploads.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	return b.run(ctx, func() error { return b.Backend.AbortUploads(ctx, path) })
}

// ListUploads implements storagedriver.Uploads.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return answered(ctx, b, func() (storagedriver.Page, error) { return b.Backend.ListUploads(ctx, path, cursor, limit) })
}

// fed returns body as one that feeds a call which has its place: what it does to the same driver waits for
// none. Content in memory does nothing, and stays what it is.
func (b *backend) fed(body storagedriver.Source) storagedriver.Source {
	switch body.(type) {
	case nil, storagedriver.BytesSource:
		return body
	}
	return fedSource{body, b.places}
}

type fedSource struct {
	storagedriver.Source
	places *places
}

// Open implements storagedriver.Source.
func (s fedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	return s.Source.Open(context.WithValue(ctx, fedKey{s.places}, true))
}

// tail is a suspended upload's: opening it is a request.
type tail struct {
	storagedriver.Source
	places *places
}

// Open implements storagedriver.Source.
func (t tail) Open(ctx context.Context) (io.ReadCloser, error) {
	release, err := t.places.take(ctx, true)
	if err != nil {
		return nil, err
	}
	r, err := t.Source.Open(ctx)
	if err != nil {
		release()
		return nil, err
	}
	return hold(r, release), nil
}

// hold returns r, which keeps a place until it is closed. What can write itself still can.
func hold(r io.ReadCloser, release func()) io.ReadCloser {
	h := held{ReadCloser: r, release: sync.OnceFunc(release)}
	if w, ok := r.(io.WriterTo); ok {
		return &heldWriterTo{h, w}
	}
	return &h
}

type held struct {
	io.ReadCloser
	release func()
}

// Close implements io.Closer. The place is free whatever closing says.
func (h *held) Close() error {
	defer h.release()
	return h.ReadCloser.Close()
}

type heldWriterTo struct {
	held
	io.WriterTo
}
