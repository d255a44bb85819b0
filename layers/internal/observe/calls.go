package observe

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// do runs a call that moves no content.
func (b *backend) do(ctx context.Context, c Call, call func(context.Context) error) error {
	ctx, w := b.begin(ctx, c)
	err := call(ctx)
	w.ended(Result{Err: err})
	return err
}

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (e storagedriver.Entry, err error) {
	err = b.do(ctx, Call{Operation: "Stat", Path: path}, func(ctx context.Context) error {
		e, err = b.next.Stat(ctx, path)
		return err
	})
	return e, err
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (p storagedriver.Page, err error) {
	err = b.do(ctx, Call{Operation: "List", Path: path}, func(ctx context.Context) error {
		p, err = b.next.List(ctx, path, cursor, limit)
		return err
	})
	return p, err
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (p storagedriver.Page, err error) {
	err = b.do(ctx, Call{Operation: "ListTree", Path: path}, func(ctx context.Context) error {
		p, err = b.next.ListTree(ctx, path, startAfter, cursor, limit)
		return err
	})
	return p, err
}

// Read implements storagedriver.Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	ctx, w := b.begin(ctx, Call{Operation: "Read", Path: path, Offset: offset})
	r, size, err := b.next.Read(ctx, path, offset, length)
	if err != nil {
		w.ended(Result{Err: err})
		return r, size, err
	}
	w.answered()
	return &body{ReadCloser: r, watch: w}, size, nil
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	ctx, w := b.begin(ctx, Call{Operation: "Put", Path: path})
	counted := count(body)
	err := b.next.Put(ctx, path, counted.source())
	w.ended(Result{Written: counted.bytes(), Err: err})
	return err
}

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return b.do(ctx, Call{Operation: "Delete", Path: path}, func(ctx context.Context) error { return b.next.Delete(ctx, path) })
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	return b.do(ctx, Call{Operation: "DeleteTree", Path: path}, func(ctx context.Context) error { return b.next.DeleteTree(ctx, path) })
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	c := Call{Operation: "Copy", Path: source, Dest: dest}
	return b.do(ctx, c, func(ctx context.Context) error { return b.next.Copy(ctx, source, dest) })
}

// Move implements storagedriver.Backend.
func (b *backend) Move(ctx context.Context, source, dest string) error {
	c := Call{Operation: "Move", Path: source, Dest: dest}
	return b.do(ctx, c, func(ctx context.Context) error { return b.next.Move(ctx, source, dest) })
}

// Concat implements storagedriver.Backend.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	return b.do(ctx, Call{Operation: "Concat", Path: dest}, func(ctx context.Context) error { return b.next.Concat(ctx, dest, sources) })
}

// Redirect implements storagedriver.Backend. The URL, which may be signed, is not told.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (url string, err error) {
	err = b.do(ctx, Call{Operation: "Redirect", Path: path}, func(ctx context.Context) error {
		url, err = b.next.Redirect(ctx, path, options)
		return err
	})
	return url, err
}
