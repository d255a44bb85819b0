package observe

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// OpenUpload implements storagedriver.Uploads.
func (b *backend) OpenUpload(ctx context.Context, path string, append bool) (u storagedriver.Upload, err error) {
	c := Call{Operation: "OpenUpload", Path: path, Append: append}
	err = b.do(ctx, c, func(ctx context.Context) error {
		u, err = b.next.OpenUpload(ctx, path, append)
		return err
	})
	if u.Tail != nil {
		u.Tail = &tail{Source: u.Tail, path: path, begin: b.begin}
	}
	return u, err
}

// PutPart implements storagedriver.Uploads.
func (b *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	ctx, w := b.begin(ctx, Call{Operation: "PutPart", Offset: part.Offset, Number: part.Number})
	counted := count(part.Body)
	part.Body = counted.source()
	receipt, err := b.next.PutPart(ctx, token, part)
	w.ended(Result{Written: counted.bytes(), Err: err})
	return receipt, err
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	ctx, w := b.begin(ctx, Call{Operation: "SuspendUpload"})
	counted := count(tail)
	err := b.next.SuspendUpload(ctx, token, receipts, counted.source())
	w.ended(Result{Written: counted.bytes(), Err: err})
	return err
}

// CommitUpload implements storagedriver.Uploads.
func (b *backend) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	ctx, w := b.begin(ctx, Call{Operation: "CommitUpload"})
	counted := count(last)
	err := b.next.CommitUpload(ctx, token, receipts, counted.source())
	w.ended(Result{Written: counted.bytes(), Err: err})
	return err
}

// CancelUpload implements storagedriver.Uploads.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	return b.do(ctx, Call{Operation: "CancelUpload"}, func(ctx context.Context) error { return b.next.CancelUpload(ctx, token) })
}

// AbortUploads implements storagedriver.Uploads.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	return b.do(ctx, Call{Operation: "AbortUploads", Path: path}, func(ctx context.Context) error { return b.next.AbortUploads(ctx, path) })
}

// ListUploads implements storagedriver.Uploads.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (p storagedriver.Page, err error) {
	err = b.do(ctx, Call{Operation: "ListUploads", Path: path}, func(ctx context.Context) error {
		p, err = b.next.ListUploads(ctx, path, cursor, limit)
		return err
	})
	return p, err
}

// tail is what OpenUpload returned: its bytes come from the backend.
type tail struct {
	storagedriver.Source
	path  string
	begin Begin
}

func (t *tail) Open(ctx context.Context) (io.ReadCloser, error) {
	ctx, w := t.begin(ctx, Call{Operation: OperationTail, Path: t.path})
	r, err := t.Source.Open(ctx)
	if err != nil {
		w.ended(Result{Err: err})
		return r, err
	}
	w.answered()
	return &body{ReadCloser: r, watch: w}, nil
}
