package chunked_test

import (
	"context"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// TestCommitWhoseSegmentsAreRemovedIsConflict has a backend say in words of its own that the body of a put could
// not be read: another's commit removes the segments while this one joins them.
func TestCommitWhoseSegmentsAreRemovedIsConflict(t *testing.T) {
	m, o := backends["five functions"](), options()
	suspendedUpload(t, m, o)
	w := openWriter(t, m, true, o)
	write(t, w, "more")
	m.Before = func(ctx context.Context, op, path string) error {
		if op != "Put" || path != target {
			return nil
		}
		if err := chunked.Abort(ctx, m, target); err != nil {
			return err
		}
		return storagedriver.NewError(storagedriver.KindUnavailable, "the directory is deleted again and again")
	}
	wantKind(t, "Commit", w.Commit(t.Context()), storagedriver.KindConflict)
	m.Before = nil
	ok(t, "Cancel", w.Cancel(t.Context()))
}

// TestCommitWhoseSegmentAnotherReplacedIsConflict has another writer commit as many bytes, and remove the segment,
// just before it is moved.
func TestCommitWhoseSegmentAnotherReplacedIsConflict(t *testing.T) {
	m, o := backends["move"](), options()
	w := openWriter(t, m, false, o)
	write(t, w, "mine")
	ok(t, "Close", w.Close())
	w = openWriter(t, m, true, o)
	m.Before = func(ctx context.Context, op, _ string) error {
		if op != "Move" {
			return nil
		}
		m.Set(target, "hers")
		return chunked.Abort(ctx, m, target)
	}
	wantKind(t, "Commit", w.Commit(t.Context()), storagedriver.KindConflict)
	m.Before = nil
	ok(t, "Cancel", w.Cancel(t.Context()))
	wantContent(t, m, "hers")
}
