package chunked_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const target = "/a/b/data"

// partSize is small, so that tests have many parts.
const partSize = 16

// backends are the kinds of backends a writer meets, by name.
var backends = map[string]func() *chunkedtest.Memory{
	"five functions": func() *chunkedtest.Memory { return &chunkedtest.Memory{} },
	"move":           func() *chunkedtest.Memory { return &chunkedtest.Memory{Can: storagedriver.AbilityMove} },
	"copy":           func() *chunkedtest.Memory { return &chunkedtest.Memory{Can: storagedriver.AbilityCopy} },
	"concat and delete-tree": func() *chunkedtest.Memory {
		return &chunkedtest.Memory{Can: storagedriver.AbilityConcat | storagedriver.AbilityDeleteTree, MaxObject: 20}
	},
	"unsorted":   func() *chunkedtest.Memory { return &chunkedtest.Memory{Can: storagedriver.AbilityUnsorted} },
	"parts":      parts(storagedriver.PartLimits{}),
	"min":        parts(storagedriver.PartLimits{Min: 10, Max: 40, Digests: []string{"sha256", "md5", "crc32c"}}),
	"multiple":   parts(storagedriver.PartLimits{Multiple: 6}),
	"both":       parts(storagedriver.PartLimits{Min: 10, Multiple: 4}),
	"equal":      parts(storagedriver.PartLimits{Min: 8, Equal: true}),
	"sequential": parts(storagedriver.PartLimits{Sequential: true, Multiple: 8, Min: 8}),
	"small max":  parts(storagedriver.PartLimits{Max: 7}),
}

func parts(l storagedriver.PartLimits) func() *chunkedtest.Memory {
	return func() *chunkedtest.Memory {
		return &chunkedtest.Memory{Can: storagedriver.AbilityParts, Limits: l}
	}
}

// each runs f on every kind of backend, and then looks for breaches and memory held.
func each(t *testing.T, f func(t *testing.T, m *chunkedtest.Memory, o chunked.Options)) {
	for name, make := range backends {
		t.Run(name, func(t *testing.T) {
			m := make()
			o := options()
			f(t, m, o)
			clean(t, m, o)
		})
	}
}

func options() chunked.Options {
	return chunked.Options{Budget: chunked.NewBudget(16 * partSize), PartSize: partSize}
}

func clean(t testing.TB, m *chunkedtest.Memory, o chunked.Options) {
	t.Helper()
	if b := m.Breaches(); len(b) > 0 {
		t.Errorf("breaches of the backend's contract:\n%s", strings.Join(b, "\n"))
	}
	if n := o.Budget.InUse(); n != 0 {
		t.Errorf("%d bytes of the budget are still in use", n)
	}
}

func openWriter(t testing.TB, m *chunkedtest.Memory, append bool, o chunked.Options) *chunked.Writer {
	t.Helper()
	w, err := chunked.Open(t.Context(), m, target, append, o)
	if err != nil {
		t.Fatalf("Open(append=%t): %v", append, err)
	}
	return w
}

func write(t testing.TB, w storagedriver.FileWriter, p string) {
	t.Helper()
	before := w.Size()
	if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
		t.Fatalf("Write of %d bytes at %d: %d, %v", len(p), before, n, err)
	}
	if got := w.Size(); got != before+int64(len(p)) {
		t.Fatalf("Size after Write: %d, want %d", got, before+int64(len(p)))
	}
}

func ok(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func wantKind(t testing.TB, what string, err error, want storagedriver.Kind) {
	t.Helper()
	if got := storagedriver.KindOf(err); err == nil || got != want {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func wantSize(t testing.TB, what string, w storagedriver.FileWriter, want int) {
	t.Helper()
	if got := w.Size(); got != int64(want) {
		t.Fatalf("Size %s: %d, want %d", what, got, want)
	}
}

// wantContent wants the target to hold content, and nothing else to be there.
func wantContent(t testing.TB, m *chunkedtest.Memory, content string) {
	t.Helper()
	if got := m.Content(); len(got) != 1 || got[target] != content {
		t.Fatalf("the backend has %d files, %q at the target; want only that, with %q", len(got), got[target], content)
	}
}

// unique returns n bytes that differ at every offset.
func unique(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

func TestCommitMakesVisible(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		for size := range 5*partSize + 2 {
			if m.MaxObject > 0 && size%5 != 0 {
				continue
			}
			content := unique(size)
			w := openWriter(t, m, false, o)
			for chunk := range slices.Chunk([]byte(content), 1+rand.IntN(2*partSize)) {
				write(t, w, string(chunk))
			}
			ok(t, "Commit", w.Commit(t.Context()))
			wantContent(t, m, content)
			ok(t, "Close after Commit", w.Close())
			ok(t, "Cancel after Commit", w.Cancel(t.Context()))
			wantContent(t, m, content)
			_, err := w.Write([]byte("x"))
			wantKind(t, "Write after Commit", err, storagedriver.KindClosed)
			wantKind(t, "Commit again", w.Commit(t.Context()), storagedriver.KindClosed)
		}
	})
}

func TestCloseSuspendsAndOpenResumes(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		for size := range 3 * partSize {
			content := ""
			for range 4 {
				w := openWriter(t, m, true, o)
				wantSize(t, "after reopening", w, len(content))
				more := unique(len(content) + size)[len(content):]
				write(t, w, more)
				content += more
				ok(t, "Close", w.Close())
				wantSize(t, "after Close", w, len(content))
				ok(t, "Close again", w.Close())
				if got, visible := m.Content()[target]; visible {
					t.Fatalf("before Commit %q is visible", got)
				}
			}
			w := openWriter(t, m, true, o)
			wantSize(t, "before Commit", w, len(content))
			ok(t, "Commit", w.Commit(t.Context()))
			wantContent(t, m, content)
			ok(t, "Delete", m.Delete(t.Context(), target))
		}
	})
}

func TestCancelRemovesEverything(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		for size := range 3 * partSize {
			for _, when := range []string{"open", "suspended", "resumed", "resumed and written"} {
				w := openWriter(t, m, true, o)
				write(t, w, unique(size))
				if when != "open" {
					ok(t, "Close", w.Close())
				}
				if strings.HasPrefix(when, "resumed") {
					w = openWriter(t, m, true, o)
				}
				if when == "resumed and written" {
					write(t, w, unique(size))
				}
				ok(t, "Cancel when "+when, w.Cancel(t.Context()))
				ok(t, "Cancel again", w.Cancel(t.Context()))
				ok(t, "Close after Cancel", w.Close())
				if left := m.Content(); len(left) > 0 {
					t.Fatalf("after Cancel of %d bytes when %s there is %v", size, when, left)
				}
			}
		}
	})
}

func TestOpenWithoutAppendDiscards(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		w := openWriter(t, m, false, o)
		write(t, w, unique(40))
		ok(t, "Close", w.Close())
		w = openWriter(t, m, false, o)
		wantSize(t, "of a fresh upload", w, 0)
		write(t, w, "new")
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, "new")
	})
}

func TestCommittedContentIsUntouchedBeforeCommit(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		m.Set(target, "old")
		w := openWriter(t, m, false, o)
		write(t, w, unique(50))
		ok(t, "Close", w.Close())
		if got := m.Content()[target]; got != "old" {
			t.Fatalf("before Commit there is %q", got)
		}
		w = openWriter(t, m, true, o)
		wantSize(t, "of the resumed upload", w, 50)
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, unique(50))
	})
}

func TestAppendToCommittedContent(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		m.Set(target, "")
		w := openWriter(t, m, true, o)
		write(t, w, "x")
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, "x")
		_, err := chunked.Open(t.Context(), m, target, true, o)
		wantKind(t, "Open of committed content", err, storagedriver.KindUnsupported)
	})
	m := &chunkedtest.Memory{Can: storagedriver.AbilityParts | storagedriver.AbilityAppendCommitted, Limits: storagedriver.PartLimits{Min: 30}}
	m.Set(target, "old ")
	w := openWriter(t, m, true, options())
	wantSize(t, "of committed content", w, 4)
	write(t, w, "new")
	ok(t, "Commit", w.Commit(t.Context()))
	wantContent(t, m, "old new")
}

func TestWriterThatAcceptedNothing(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		w := openWriter(t, m, true, o)
		ok(t, "Close", w.Close())
		if left := m.Content(); len(left) > 0 {
			t.Fatalf("it left %v", left)
		}
		w = openWriter(t, m, true, o)
		write(t, w, unique(37))
		status := openWriter(t, m, true, o) // a status request in between
		if n := o.Budget.InUse(); n > 4*partSize+partSize {
			t.Fatalf("with a writer that accepted nothing %d bytes are in use", n)
		}
		ok(t, "Close of the status", status.Close())
		write(t, w, unique(60)[37:])
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, unique(60))
	})
}

func TestSmallUploadIsOnePut(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		size := partSize
		if m.Limits.Max > 0 {
			size = min(size, int(m.Limits.Max))
		}
		if mul := int(m.Limits.Multiple); mul > 0 {
			size -= size % mul
		}
		w := openWriter(t, m, false, o)
		write(t, w, unique(size))
		ok(t, "Commit", w.Commit(t.Context()))
		if puts, parts := m.Calls("Put"), m.Calls("PutPart")+m.Calls("CommitUpload"); puts != 1 || parts != 0 {
			t.Fatalf("%d puts and %d calls for parts, want one put", puts, parts)
		}
	})
}

func TestContextEndSuspends(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := chunked.Open(ctx, m, target, false, o)
		ok(t, "Open", err)
		write(t, w, unique(45))
		cancel()
		if _, err := w.Write([]byte("x")); !errors.Is(err, context.Canceled) {
			t.Fatalf("Write after the context's end: %v", err)
		}
		ok(t, "Close", w.Close())
		wantSize(t, "after Close", w, 45)
		w = openWriter(t, m, true, o)
		wantSize(t, "after reopening", w, 45)
		ok(t, "Commit", w.Commit(t.Context()))
		wantContent(t, m, unique(45))
	})
}
