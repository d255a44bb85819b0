package chunked_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// fail makes the n-th call of a Memory and those up to n+times fail, before or after the effect.
func fail(m *chunkedtest.Memory, n, times int64, after bool, err error) *atomic.Int64 {
	var calls atomic.Int64
	hit := func(count int64) error {
		if count >= n && count < n+times {
			return err
		}
		return nil
	}
	m.Before = func(context.Context, string, string) error {
		if c := calls.Add(1); !after {
			return hit(c)
		}
		return nil
	}
	if after {
		m.After = func(context.Context, string, string) error { return hit(calls.Load()) }
	}
	return &calls
}

// TestFaults runs an upload of three sessions with one or some calls failing, wherever
// that is. What was accepted must be what the size says, at every moment and for the next
// one who opens; and what is visible is all of the content or nothing.
func TestFaults(t *testing.T) {
	faults := map[string]error{
		"permanent": storagedriver.NewError(storagedriver.KindPermission, "no"),
		"temporary": &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("later")},
	}
	for name, newBackend := range backends {
		for kind, fault := range faults {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/after=%t", name, kind, after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						for _, times := range []int64{1, 3, 8} {
							if kind == "permanent" && times > 1 {
								continue // nobody can know the size when even asking for it fails for good
							}
							for n := int64(1); ; n++ {
								m, o := newBackend(), options()
								calls := fail(m, n, times, after, fault)
								threeSessions(t, m, o, fmt.Sprintf("calls %d to %d failing", n, n+times-1))
								clean(t, m, o)
								if calls.Load() < n || t.Failed() {
									break
								}
							}
						}
					})
				})
			}
		}
	}
}

// threeSessions writes 90 bytes in three sessions, as a client would who looks how far
// it has come after each, and commits.
func threeSessions(t *testing.T, m *chunkedtest.Memory, o chunked.Options, what string) {
	content := unique(90)
	for session := range 3 {
		w, err := chunked.Open(t.Context(), m, target, true, o)
		if err != nil {
			continue
		}
		at := int(w.Size())
		for end := 30 * (session + 1); at < end; {
			n, err := w.Write([]byte(content[at:min(end, at+7)]))
			if at += n; w.Size() != int64(at) {
				t.Fatalf("%s: Size after Write is %d, want %d", what, w.Size(), at)
			}
			if err != nil {
				break
			}
		}
		if session == 2 && at == len(content) {
			if err := w.Commit(t.Context()); err == nil {
				if got := m.Content()[target]; got != content {
					t.Fatalf("%s: %q is committed", what, got)
				}
				return
			}
		}
		closeErr := w.Close()
		size := w.Size()
		if closeErr == nil && size != int64(at) {
			t.Fatalf("%s: after a Close that went well %d of %d bytes are left", what, size, at)
		}
		checkNextOpen(t, m, o, size, content, what)
	}
}

// checkNextOpen wants the next open to report size, and the suspended bytes to be right.
func checkNextOpen(t *testing.T, m *chunkedtest.Memory, o chunked.Options, size int64, content, what string) {
	t.Helper()
	before, after := m.Before, m.After
	m.Before, m.After = nil, nil
	defer func() { m.Before, m.After = before, after }()
	if got, visible := m.Content()[target]; visible {
		if got != content {
			t.Fatalf("%s: %q is visible", what, got)
		}
		return // a commit whose answer was lost
	}
	w, err := chunked.Open(t.Context(), m, target, true, o)
	if err != nil {
		t.Fatalf("%s: the next open: %v", what, err)
	}
	if w.Size() != size {
		t.Fatalf("%s: Size after Close was %d, the next open reports %d", what, size, w.Size())
	}
	ok(t, "Close", w.Close())
}

func TestPartIsRepeated(t *testing.T) {
	for _, newBackend := range backends {
		synctest.Test(t, func(t *testing.T) {
			m, o := newBackend(), options()
			var failures atomic.Int64
			m.Before = func(_ context.Context, op, path string) error {
				part := op == "PutPart" || op == "Put" && strings.Contains(path, "~/")
				if part && failures.Add(1)%chunked.PartAttempts != 0 {
					return errors.New("connection reset")
				}
				return nil
			}
			o.Parallel = 1
			w := openWriter(t, m, false, o)
			write(t, w, unique(40))
			ok(t, "Commit", w.Commit(t.Context()))
			wantContent(t, m, unique(40))
			clean(t, m, o)
		})
	}
}

func TestFailedPartFailsWritesAndCommit(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		refused := storagedriver.NewError(storagedriver.KindNoSpace, "full")
		m.Before = func(_ context.Context, op, path string) error {
			if op == "PutPart" || op == "Put" && strings.Contains(path, "~/") {
				return refused
			}
			return nil
		}
		w := openWriter(t, m, false, o)
		n, _ := w.Write([]byte(unique(40))) // a later part may have met the failure of an earlier one
		wantSize(t, "after Write", w, n)
		wantKind(t, "Commit", w.Commit(t.Context()), storagedriver.KindNoSpace)
		_, err := w.Write([]byte("x"))
		wantKind(t, "Write", err, storagedriver.KindNoSpace)
		if left := m.Content(); len(left) > 0 {
			t.Fatalf("there is %v", left)
		}
		m.Before = nil // there is room again, and the buffers were kept
		ok(t, "Close", w.Close())
		wantSize(t, "after Close", w, n)
		w = openWriter(t, m, true, o)
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, unique(n))
	})
}

// TestSuspendHasADeadline hangs the backend: Close ends all the same.
func TestSuspendHasADeadline(t *testing.T) {
	for name, newBackend := range backends {
		for _, byContext := range []bool{false, true} {
			suspendWithDeadline(t, name, newBackend, byContext)
		}
	}
}

func suspendWithDeadline(t *testing.T, name string, newBackend func() *chunkedtest.Memory, byContext bool) {
	t.Run(fmt.Sprintf("%s/by context %t", name, byContext), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m, o := newBackend(), options()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := chunked.Open(ctx, m, target, false, o)
			ok(t, "Open", err)
			m.Before = func(ctx context.Context, op, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			}
			write(t, w, unique(5))
			if byContext {
				cancel()
				<-time.After(2 * chunked.SuspendTimeout) // of the bubble's clock
			}
			begin := time.Now()
			wantKind(t, "Close", w.Close(), storagedriver.KindDeadline)
			if took := time.Since(begin); took > 2*chunked.SuspendTimeout || byContext && took > 0 {
				t.Errorf("Close took %v", took)
			}
			wantSize(t, "after Close", w, 0)
			m.Before = nil
			clean(t, m, o)
		})
	})
}

// TestMoveWhoseAnswerIsLost commits one segment by a move that says it failed.
func TestMoveWhoseAnswerIsLost(t *testing.T) {
	m, o := backends["move"](), options()
	w := openWriter(t, m, false, o)
	write(t, w, "content")
	ok(t, "Close", w.Close())
	w = openWriter(t, m, true, o)
	m.After = func(_ context.Context, op, _ string) error {
		if op == "Move" {
			return errors.New("connection reset")
		}
		return nil
	}
	ok(t, "Commit", w.Commit(t.Context()))
	wantContent(t, m, "content")
	if n := m.Calls("Move"); n != 1 {
		t.Errorf("%d moves, want one: it is not repeated", n)
	}
	clean(t, m, o)
}

// TestCleaningUpMayFail commits all the same.
func TestCleaningUpMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := backends["five functions"](), options()
		m.Before = func(_ context.Context, op, _ string) error {
			if op == "Delete" {
				return errors.New("no deleting today")
			}
			return nil
		}
		w := openWriter(t, m, true, o)
		write(t, w, unique(50))
		ok(t, "Commit", w.Commit(t.Context()))
		if got := m.Content()[target]; got != unique(50) {
			t.Fatalf("the target has %q", got)
		}
		clean(t, m, o)
	})
}

// TestSizeAfterACancelThatNobodyAnswersIsNotTooMuch removes the beginning of an upload, and then
// answers nothing: what is left is unknown, and must not be taken for more than there is.
func TestSizeAfterACancelThatNobodyAnswersIsNotTooMuch(t *testing.T) {
	for name, newBackend := range backends {
		synctest.Test(t, func(t *testing.T) {
			m, o := newBackend(), options()
			w := openWriter(t, m, false, o)
			write(t, w, unique(40))
			ok(t, "Close", w.Close())
			w = openWriter(t, m, true, o)
			var down atomic.Bool
			m.After = func(_ context.Context, op, _ string) error {
				if op == "Delete" || op == "DeleteTree" || op == "CancelUpload" {
					down.Store(true)
				}
				if down.Load() {
					return storagedriver.NewError(storagedriver.KindUnavailable, "gone away")
				}
				return nil
			}
			m.Before = func(context.Context, string, string) error {
				if down.Load() {
					return storagedriver.NewError(storagedriver.KindUnavailable, "gone away")
				}
				return nil
			}
			if err := w.Cancel(t.Context()); err == nil {
				t.Fatalf("%s: Cancel while the backend goes away: no error", name)
			}
			said := w.Size()
			m.Before, m.After = nil, nil
			next := openWriter(t, m, true, o)
			if next.Size() < said {
				t.Errorf("%s: Size after a Cancel that failed is %d, and %d bytes are left", name, said, next.Size())
			}
			ok(t, "Close", next.Close())
			ok(t, "Cancel once more", w.Cancel(t.Context()))
			clean(t, m, o)
		})
	}
}
