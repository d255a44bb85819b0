package chunked_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// busy is a backend that runs one call at a time, as a guest on one instance does: it refuses a read that is to
// feed a put of its own.
type busy struct{ *chunkedtest.Memory }

type feedingKey struct{}

func (b busy) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if ctx.Value(feedingKey{}) != nil {
		return nil, 0, storagedriver.NewError(storagedriver.KindUnsupported, "busy")
	}
	return b.Memory.Read(ctx, path, offset, length)
}

// Put hides why a body failed, as a guest may.
func (b busy) Put(ctx context.Context, path string, body storagedriver.Source) error {
	err := b.Memory.Put(ctx, path, fed{body})
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return storagedriver.NewError(storagedriver.KindUnknown, "the body failed")
	}
	return err
}

type fed struct{ storagedriver.Source }

func (f fed) Open(ctx context.Context) (io.ReadCloser, error) {
	return f.Source.Open(context.WithValue(ctx, feedingKey{}, true))
}

func TestSegmentsAreOpenedBeforeAPutThatCannotRead(t *testing.T) {
	for _, segments := range []int{1, 2, 64} {
		for _, suspended := range []bool{false, true} {
			t.Run(fmt.Sprint(segments, suspended), func(t *testing.T) {
				m, o := &chunkedtest.Memory{}, options()
				content := unique(segments * partSize)
				w, err := chunked.Open(t.Context(), busy{m}, target, false, o)
				ok(t, "Open", err)
				write(t, w, content)
				if suspended {
					ok(t, "Close", w.Close())
					w, err = chunked.Open(t.Context(), busy{m}, target, true, o)
					ok(t, "Open", err)
				}
				ok(t, "Commit", w.Commit(t.Context()))
				wantContent(t, m, content)
				clean(t, m, o)
			})
		}
	}
}

func TestTooManySegmentsForAPutThatCannotRead(t *testing.T) {
	m, o := &chunkedtest.Memory{}, options()
	content := unique(65 * partSize)
	w, err := chunked.Open(t.Context(), busy{m}, target, false, o)
	ok(t, "Open", err)
	write(t, w, content)
	err = w.Commit(t.Context())
	wantKind(t, "Commit", err, storagedriver.KindUnsupported)
	const text = "at most 64 segments are joined, opened beforehand; there are 65"
	if !strings.Contains(err.Error(), text) {
		t.Errorf("Commit: %v, want %q in it", err, text)
	}
	ok(t, "Close", w.Close())
	w, err = chunked.Open(t.Context(), m, target, true, o) // nothing was lost
	ok(t, "Open", err)
	wantSize(t, "of the upload", w, len(content))
	ok(t, "Commit", w.Commit(t.Context()))
	wantContent(t, m, content)
	clean(t, m, o)
}

// TestOpenedSegmentsAreClosed has the backend fail once the segments have been opened.
func TestOpenedSegmentsAreClosed(t *testing.T) {
	for name, fails := range map[string]func(op string, n int) bool{
		"the put": func(op string, n int) bool { return op == "Put" && n == 5 }, // after three segments and the first try
		"a read":  func(op string, n int) bool { return op == "Read" && n == 2 },
	} {
		t.Run(name, func(t *testing.T) {
			n := map[string]int{}
			m, o := &chunkedtest.Memory{}, options()
			m.Before = func(_ context.Context, op, _ string) error {
				if n[op]++; fails(op, n[op]) {
					return storagedriver.NewError(storagedriver.KindNoSpace, "full")
				}
				return nil
			}
			o.Parallel = 1
			w, err := chunked.Open(t.Context(), busy{m}, target, false, o)
			ok(t, "Open", err)
			write(t, w, unique(3*partSize))
			ok(t, "Close", w.Close())
			w, err = chunked.Open(t.Context(), busy{m}, target, true, o)
			ok(t, "Open", err)
			wantKind(t, "Commit", w.Commit(t.Context()), storagedriver.KindNoSpace)
			clean(t, m, o)
			ok(t, "Commit again", w.Commit(t.Context()))
			wantContent(t, m, unique(3*partSize))
			clean(t, m, o)
		})
	}
}

// TestAPutThatFailsOtherwiseIsNotRepeated leaves alone what another reason stopped.
func TestAPutThatFailsOtherwiseIsNotRepeated(t *testing.T) {
	m := &chunkedtest.Memory{}
	m.Set("/a", "content")
	boom := storagedriver.NewError(storagedriver.KindNotFound, "gone")
	missing := source{size: 3, open: func(context.Context) (io.ReadCloser, error) { return nil, boom }}
	err := chunked.PutStored(t.Context(), m, "/b", storagedriver.BytesSource("abc"), missing)
	wantKind(t, "PutStored", err, storagedriver.KindNotFound)
	if n := m.Calls("Put"); n != 1 {
		t.Errorf("%d puts, want 1", n)
	}
}

type source struct {
	size int64
	open func(context.Context) (io.ReadCloser, error)
}

func (s source) Size() int64 { return s.size }

func (s source) Open(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx) }
