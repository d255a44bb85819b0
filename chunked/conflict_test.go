package chunked_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// suspendedUpload leaves 20 bytes.
func suspendedUpload(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
	t.Helper()
	w := openWriter(t, m, false, o)
	write(t, w, unique(20))
	ok(t, "Close", w.Close())
}

func TestStaleCommitIsConflict(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		suspendedUpload(t, m, o)
		stale, winner := openWriter(t, m, true, o), openWriter(t, m, true, o)
		write(t, winner, "winner")
		ok(t, "Close", winner.Close())
		write(t, stale, "stale")
		wantKind(t, "Commit", stale.Commit(t.Context()), storagedriver.KindConflict)
		if got, visible := m.Content()[target]; visible {
			t.Fatalf("%q is visible", got)
		}
		wantKind(t, "Close", stale.Close(), storagedriver.KindConflict)
		wantSize(t, "of the stale writer", stale, 26)
		winner = openWriter(t, m, true, o)
		wantSize(t, "after reopening", winner, 26)
		ok(t, "Commit", winner.Commit(t.Context()))
		wantContent(t, m, unique(20)+"winner")
	})
}

func TestStaleSuspendIsConflict(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		suspendedUpload(t, m, o)
		stale, winner := openWriter(t, m, true, o), openWriter(t, m, true, o)
		write(t, winner, "winner")
		ok(t, "Close", winner.Close())
		write(t, stale, strings.Repeat("stale", 2)) // longer, and still it loses
		wantKind(t, "Close", stale.Close(), storagedriver.KindConflict)
		wantSize(t, "of the stale writer", stale, 26)
		w := openWriter(t, m, true, o)
		wantSize(t, "after reopening", w, 26)
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, unique(20)+"winner")
	})
}

// TestLaterOpenerWins has the first writer store before the second has opened.
func TestLaterOpenerWins(t *testing.T) {
	synctest.Test(t, laterOpenerWins)
}

func laterOpenerWins(t *testing.T) {
	m, o := backends["five functions"](), options()
	first := openWriter(t, m, false, o)
	write(t, first, unique(2*partSize+1))
	synctest.Wait() // both parts are stored in the background
	second := openWriter(t, m, true, o)
	at := 2 * partSize
	wantSize(t, "of the second", second, at)
	write(t, second, "second")
	ok(t, "Close of the second", second.Close())
	wantKind(t, "Commit of the first", first.Commit(t.Context()), storagedriver.KindConflict)
	_ = first.Close()
	wantSize(t, "of the first", first, at+6)
	second = openWriter(t, m, true, o)
	ok(t, "Commit of the second", second.Commit(t.Context()))
	wantContent(t, m, unique(at)+"second")
	clean(t, m, o)
}

// TestWriterOfTheChainMovesOn has the first writer store more after the second has opened.
func TestWriterOfTheChainMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := backends["five functions"](), options()
		first := openWriter(t, m, false, o)
		write(t, first, unique(2*partSize+1))
		synctest.Wait()
		second := openWriter(t, m, true, o)
		wantSize(t, "of the second", second, 2*partSize)
		write(t, first, unique(4 * partSize)[2*partSize+1:])
		synctest.Wait()
		write(t, second, "second")
		wantKind(t, "Close of the second", second.Close(), storagedriver.KindConflict)
		ok(t, "Commit of the first", first.Commit(t.Context()))
		wantContent(t, m, unique(4*partSize))
		clean(t, m, o)
	})
}

// TestCancelThatFailedMayBeRepeated has a Cancel leave part of an upload that another writer began.
func TestCancelThatFailedMayBeRepeated(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		w := openWriter(t, m, false, o)
		write(t, w, unique(60))
		ok(t, "Close", w.Close())
		w = openWriter(t, m, true, o)
		var deleted atomic.Int64
		m.Before = func(_ context.Context, op, _ string) error {
			if op == "CancelUpload" || op == "Delete" && deleted.Add(1) > 1 {
				return storagedriver.NewError(storagedriver.KindPermission, "no more")
			}
			return nil
		}
		wantKind(t, "Cancel", w.Cancel(t.Context()), storagedriver.KindPermission)
		m.Before = nil
		ok(t, "Cancel again", w.Cancel(t.Context()))
		if left := m.Content(); len(left) > 0 {
			t.Fatalf("there is %v", left)
		}
	})
}

func TestStaleCancelLeavesTheWinner(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		first := openWriter(t, m, false, o)
		write(t, first, unique(20))
		ok(t, "Close", first.Close())
		winner := openWriter(t, m, true, o)
		write(t, winner, "winner")
		ok(t, "Close of the winner", winner.Close())
		ok(t, "Cancel of the first", first.Cancel(t.Context()))
		winner = openWriter(t, m, true, o)
		wantSize(t, "after a stale Cancel", winner, 26)
		ok(t, "Commit", winner.Commit(t.Context()))
		wantContent(t, m, unique(20)+"winner")
	})
}

// TestStaleCancelLeavesAFreshUpload is repeated: nothing may depend on the writers' nonces.
func TestStaleCancelLeavesAFreshUpload(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		for range 8 {
			first := openWriter(t, m, false, o)
			write(t, first, unique(20))
			ok(t, "Close", first.Close())
			fresh := openWriter(t, m, false, o)
			write(t, fresh, "fresh")
			ok(t, "Close of the fresh", fresh.Close())
			ok(t, "Cancel of the first", first.Cancel(t.Context()))
			fresh = openWriter(t, m, true, o)
			wantSize(t, "after a stale Cancel", fresh, 5)
			ok(t, "Cancel", fresh.Cancel(t.Context()))
			if left := m.Content(); len(left) > 0 {
				t.Fatalf("there is %v", left)
			}
		}
	})
}

func TestDiscardedUploadIsConflict(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		suspendedUpload(t, m, o)
		stale := openWriter(t, m, true, o)
		fresh := openWriter(t, m, false, o)
		write(t, stale, "stale")
		wantKind(t, "Commit of the discarded", stale.Commit(t.Context()), storagedriver.KindConflict)
		if err := stale.Close(); err == nil {
			t.Error("Close of the discarded: nil")
		}
		wantSize(t, "of the discarded", stale, 0)
		write(t, fresh, "fresh")
		ok(t, "Commit", fresh.Commit(t.Context()))
		wantContent(t, m, "fresh")
	})
}

func TestAbortEndsUploads(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		m.Set("/a/b/data2", "a sibling")
		suspendedUpload(t, m, o)
		ok(t, "Abort", chunked.Abort(t.Context(), m, target))
		ok(t, "Abort of none", chunked.Abort(t.Context(), m, target))
		w := openWriter(t, m, true, o)
		wantSize(t, "after Abort", w, 0)
		if left := m.Content(); len(left) != 1 {
			t.Fatalf("there is %v", left)
		}
	})
}
