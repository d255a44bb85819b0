package layers

import (
	"cmp"
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// PutContent implements storagedriver.StorageDriver. An unfinished upload to path goes on.
func (g *gate) PutContent(ctx context.Context, path string, content []byte) error {
	const op = "PutContent"
	if err := g.admit(ctx, op, path); err != nil {
		return err
	}
	if most := g.native.MaxObject; most > 0 && int64(len(content)) > most {
		err := storagedriver.Errorf(storagedriver.KindLimit, "the content has %d bytes; one Put of this driver takes %d, use Writer", len(content), most)
		return g.wrap(ctx, op, path, err)
	}
	err := g.b.Put(ctx, path, storagedriver.BytesSource(content))
	return g.wrap(ctx, op, path, g.explain(ctx, path, err))
}

// Writer implements storagedriver.StorageDriver.
func (g *gate) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	const op = "Writer"
	if err := g.admit(ctx, op, path); err != nil {
		return nil, err
	}
	w, err := chunked.Open(ctx, g.b, path, append, g.writers)
	if err != nil {
		return nil, g.wrap(ctx, op, path, g.explain(ctx, path, err))
	}
	return &writer{gate: g, ctx: ctx, path: path, w: w}, nil
}

// writer wraps the errors of the one FileWriter.
type writer struct {
	gate *gate
	ctx  context.Context
	path string
	w    *chunked.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	return n, w.wrap(w.ctx, "Write", err)
}

func (w *writer) Size() int64 { return w.w.Size() }

// Close runs detached, and so does looking why it failed.
func (w *writer) Close() error {
	err := w.w.Close()
	if err == nil {
		return nil
	}
	timeout := cmp.Or(w.gate.writers.SuspendTimeout, chunked.SuspendTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), timeout/4)
	defer cancel()
	return w.wrap(ctx, "Close", err)
}

func (w *writer) Cancel(ctx context.Context) error {
	return w.gate.wrap(ctx, "Cancel", w.path, w.w.Cancel(ctx))
}

func (w *writer) Commit(ctx context.Context) error {
	return w.wrap(ctx, "Commit", w.w.Commit(ctx))
}

func (w *writer) wrap(ctx context.Context, op string, err error) error {
	return w.gate.wrap(ctx, op, w.path, w.gate.explain(ctx, w.path, err))
}
