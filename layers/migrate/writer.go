package migrate

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// writer is an upload on one of the sides.
type writer struct {
	d    *Driver
	path string
	w    storagedriver.FileWriter
	old  bool
	over bool // it was closed, cancelled or committed: another commit is refused
}

// Write implements storagedriver.FileWriter.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	return n, w.d.wrap("Write", w.path, err)
}

// Size implements storagedriver.FileWriter.
func (w *writer) Size() int64 { return w.w.Size() }

// Close implements storagedriver.FileWriter.
func (w *writer) Close() error {
	w.over = true
	return w.d.wrap("Close", w.path, w.w.Close())
}

// Cancel implements storagedriver.FileWriter.
func (w *writer) Cancel(ctx context.Context) error {
	w.over = true
	return w.d.wrap("Cancel", w.path, w.w.Cancel(ctx))
}

// Commit implements storagedriver.FileWriter.
func (w *writer) Commit(ctx context.Context) error {
	if w.over {
		return w.d.wrap("Commit", w.path, w.w.Commit(ctx))
	}
	err := w.commit(ctx)
	w.over = err == nil
	return w.d.wrap("Commit", w.path, err)
}

func (w *writer) commit(ctx context.Context) error {
	m := w.d.m
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.old {
		if err := m.blocked(ctx, w.path); err != nil {
			return err
		}
		return m.change(ctx, area{Paths: []string{w.path}, Settle: []string{w.path}}, w.w.Commit)
	}
	if !m.underFiles() {
		if err := blockedBy(ctx, m.new, w.path); err != nil {
			return m.onNew(err)
		}
	}
	// The mark has to stand even if there is no O yet: it is what the commit makes, and the content unless there is an N.
	a := area{Paths: []string{w.path}, Settle: []string{w.path}}
	return m.whileMarked(ctx, a, w.w.Commit, func() error { return w.committedOld(ctx) })
}

// committedOld puts what was committed on old in the place of an N, if there is one or nobody reads old any more.
func (w *writer) committedOld(ctx context.Context) error {
	m := w.d.m
	committed, err := isFile(ctx, m.new, w.path)
	if err != nil {
		return m.onNew(err)
	}
	s, err := m.stages.now(ctx)
	if err != nil {
		return m.onNew(err)
	}
	if s == reading && !committed {
		return nil
	}
	return m.moveFromOld(ctx, w.path, w.path)
}
