package layers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// abilities are the sets of abilities that lead the gate different ways.
var abilities = []storagedriver.Ability{
	0,
	storagedriver.AbilityCopy | storagedriver.AbilityUnsorted,
	storagedriver.AbilityMove | storagedriver.AbilityListTree,
	storagedriver.AbilityMove | storagedriver.AbilityMoveTree | storagedriver.AbilityDeleteTree,
	storagedriver.AbilityFilesUnderFiles | storagedriver.AbilityListTree | storagedriver.AbilityDeleteTree,
	storagedriver.AbilityParts | storagedriver.AbilityMove | storagedriver.AbilityMoveTree,
	storagedriver.AbilityParts | storagedriver.AbilityFilesUnderFiles,
}

func each(t *testing.T, f func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver)) {
	for _, can := range abilities {
		t.Run(can.String(), func(t *testing.T) {
			m := &chunkedtest.Memory{Can: can}
			f(t, m, complete(m))
			clean(t, m)
		})
	}
}

func complete(b storagedriver.Backend) storagedriver.StorageDriver {
	return layers.Complete(b, layers.WithBudget(chunked.NewBudget(1<<10)), layers.WithPartSize(16), layers.WithParallel(2))
}

func clean(t *testing.T, m *chunkedtest.Memory) {
	t.Helper()
	if b := m.Breaches(); len(b) > 0 {
		t.Errorf("breaches of the backend's contract:\n%s", strings.Join(b, "\n"))
	}
}

func ok(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantKind wants an error of the kind, wrapped exactly once.
func wantKind(t testing.TB, what string, err error, want storagedriver.Kind) {
	t.Helper()
	var e *storagedriver.Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
	if e.Op == "" || e.Driver != "memory" {
		t.Fatalf("%s: the error %#v says no operation or driver", what, e)
	}
	var inner *storagedriver.Error
	if errors.As(e.Err, &inner) && inner.Op != "" {
		t.Fatalf("%s: %v is wrapped twice", what, err)
	}
}

func put(t testing.TB, d storagedriver.StorageDriver, paths ...string) {
	t.Helper()
	for _, path := range paths {
		ok(t, "PutContent", d.PutContent(t.Context(), path, []byte("content of "+path)))
	}
}

// suspend leaves an unfinished upload.
func suspend(t testing.TB, d storagedriver.StorageDriver, path string) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, false)
	ok(t, "Writer", err)
	_, err = w.Write([]byte("unfinished, and longer than one part"))
	ok(t, "Write", err)
	ok(t, "Close", w.Close())
}

// wantUpload wants the next Writer with append at path to begin with so many bytes.
func wantUpload(t testing.TB, d storagedriver.StorageDriver, path string, size int64) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, true)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported && size == 0 {
		return // committed content, and no upload
	}
	ok(t, "Writer", err)
	if w.Size() != size {
		t.Errorf("the upload to %s has %d bytes, want %d", path, w.Size(), size)
	}
	ok(t, "Close", w.Close())
}

// wantFiles wants these files, with their content, and nothing private.
func wantFiles(t testing.TB, m *chunkedtest.Memory, want map[string]string) {
	t.Helper()
	got := m.Content()
	for path, content := range got {
		if w, ok := want[path]; !ok || w != content {
			t.Errorf("%s has %q, want %q", path, content, w)
		}
	}
	for path := range want {
		if _, ok := got[path]; !ok {
			t.Errorf("%s is missing", path)
		}
	}
}

func TestInvalidPathsReachNoBackend(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityRedirect}
	d := complete(m)
	ctx := t.Context()
	calls := map[string]func(path string) error{
		"GetContent": func(p string) error { _, err := d.GetContent(ctx, p); return err },
		"PutContent": func(p string) error { return d.PutContent(ctx, p, nil) },
		"Reader":     func(p string) error { _, err := d.Reader(ctx, p, 0); return err },
		"Writer":     func(p string) error { _, err := d.Writer(ctx, p, true); return err },
		"Stat":       func(p string) error { _, err := d.Stat(ctx, p); return err },
		"List":       func(p string) error { _, err := d.List(ctx, p); return err },
		"Move":       func(p string) error { return d.Move(ctx, p, "/b") },
		"Move to":    func(p string) error { return d.Move(ctx, "/b", p) },
		"Delete":     func(p string) error { return d.Delete(ctx, p) },
		"Walk":       func(p string) error { return d.Walk(ctx, p, func(storagedriver.FileInfo) error { return nil }) },
		"RedirectURL": func(p string) error {
			_, err := d.RedirectURL(ctx, p, storagedriver.RedirectOptions{})
			return err
		},
	}
	for name, call := range calls {
		for _, path := range []string{"", "a", "/a/", "//a", "/a/../b", "/./a", "/a~", "/a/b~/c", "/ä", "/a b", "/a\x00", "/" + strings.Repeat("x", storagedriver.MaxPath)} {
			wantKind(t, fmt.Sprintf("%s(%.20q)", name, path), call(path), storagedriver.KindInvalidPath)
		}
		err := call("/")
		if root := name == "Stat" || name == "List" || name == "Walk"; root {
			ok(t, name+" of the root", err)
		} else {
			wantKind(t, name+" of the root", err, storagedriver.KindInvalidPath)
		}
	}
	clean(t, m)
}

func TestEndedContextReachesNoBackend(t *testing.T) {
	m := &chunkedtest.Memory{}
	d := complete(m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Stat(ctx, "/a")
	wantKind(t, "Stat", err, storagedriver.KindCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	if n := m.Calls("Stat"); n != 0 {
		t.Errorf("%d calls reached the backend", n)
	}
}

// TestErrorOfTheContext has a backend that calls a broken connection what it was, when it
// broke because the caller had gone.
func TestErrorOfTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &chunkedtest.Memory{Before: func(context.Context, string, string) error {
		cancel()
		return storagedriver.NewError(storagedriver.KindUnavailable, "connection reset")
	}}
	_, err := complete(m).GetContent(ctx, "/a")
	wantKind(t, "GetContent", err, storagedriver.KindCanceled)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "connection reset") {
		t.Errorf("%v is not context.Canceled, or hides its cause", err)
	}
}

func TestReadAndWrite(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		ctx := t.Context()
		put(t, d, "/a/b")
		got, err := d.GetContent(ctx, "/a/b")
		ok(t, "GetContent", err)
		if string(got) != "content of /a/b" {
			t.Errorf("GetContent: %q", got)
		}
		_, err = d.GetContent(ctx, "/a/c")
		wantKind(t, "GetContent of nothing", err, storagedriver.KindNotFound)
		for offset := range 16 {
			r, err := d.Reader(ctx, "/a/b", int64(offset))
			ok(t, "Reader", err)
			all, err := io.ReadAll(r)
			ok(t, "ReadAll", err)
			if want := "content of /a/b"[offset:]; string(all) != want {
				t.Errorf("from %d: %q, want %q", offset, all, want)
			}
			ok(t, "Close", r.Close())
			ok(t, "Close again", r.Close())
			_, err = r.Read(make([]byte, 1))
			wantKind(t, "Read after Close", err, storagedriver.KindClosed)
		}
		reads := m.Calls("Read")
		_, err = d.Reader(ctx, "/a/b", -1)
		wantKind(t, "Reader at -1", err, storagedriver.KindInvalidOffset)
		if m.Calls("Read") != reads {
			t.Error("a negative offset reached the backend")
		}
		_, err = d.Reader(ctx, "/a/b", 16)
		wantKind(t, "Reader beyond the end", err, storagedriver.KindInvalidOffset)
	})
}

func TestClosedDriver(t *testing.T) {
	m := &chunkedtest.Memory{}
	d := complete(m)
	ok(t, "Close", d.Close())
	ok(t, "Close again", d.Close())
	_, err := d.Stat(t.Context(), "/a")
	wantKind(t, "Stat", err, storagedriver.KindClosed)
	if n := m.Calls("Close"); n != 1 {
		t.Errorf("the backend was closed %d times", n)
	}
}

func TestCapabilitiesAreTheEffectiveOnes(t *testing.T) {
	has := func(can, want storagedriver.Ability) {
		t.Helper()
		if got := complete(&chunkedtest.Memory{Can: can}).Capabilities().Abilities; got != want {
			t.Errorf("over %v: %v, want %v", can, got, want)
		}
	}
	has(0, 0)
	has(storagedriver.AbilityUnsorted|storagedriver.AbilityRedirect, storagedriver.AbilityRedirect)
	has(storagedriver.AbilityAppendCommitted|storagedriver.AbilityConditional|storagedriver.AbilityListUploads, 0)
	has(storagedriver.AbilityMoveTree, storagedriver.AbilityMoveTree|storagedriver.AbilityMove)
	all := storagedriver.AbilityAppendCommitted | storagedriver.AbilityConditional | storagedriver.AbilityListUploads | storagedriver.AbilityParts
	has(all, all)
}

func TestRedirect(t *testing.T) {
	url, err := complete(&chunkedtest.Memory{}).RedirectURL(t.Context(), "/a", storagedriver.RedirectOptions{Method: "GET"})
	if url != "" || err != nil {
		t.Errorf("without the ability: %q, %v, want nothing", url, err)
	}
	url, err = complete(&chunkedtest.Memory{Can: storagedriver.AbilityRedirect}).RedirectURL(t.Context(), "/a", storagedriver.RedirectOptions{Method: "GET"})
	if url != "http://memory.test/a" || err != nil {
		t.Errorf("with the ability: %q, %v", url, err)
	}
}

func TestMaxObject(t *testing.T) {
	d := complete(&chunkedtest.Memory{MaxObject: 20})
	wantKind(t, "PutContent", d.PutContent(t.Context(), "/a", make([]byte, 21)), storagedriver.KindLimit)
	ok(t, "PutContent", d.PutContent(t.Context(), "/a", make([]byte, 20)))
	w, err := d.Writer(t.Context(), "/b", false)
	ok(t, "Writer", err)
	_, err = w.Write(make([]byte, 21))
	wantKind(t, "Write", err, storagedriver.KindLimit)
	ok(t, "Cancel", w.Cancel(t.Context()))
}

// TestFilesUnderFiles has a backend that refuses them without saying why.
func TestFilesUnderFiles(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a", "/dir/x", "/other")
		upload := func(path string, bytes int) error {
			w, err := d.Writer(t.Context(), path, false)
			if err != nil {
				return err
			}
			if _, err = w.Write(make([]byte, bytes)); err == nil {
				err = w.Commit(t.Context())
			}
			if err != nil {
				_ = w.Cancel(t.Context())
			}
			return err
		}
		for what, err := range map[string]error{
			"PutContent below a file":  d.PutContent(t.Context(), "/a/b/c", nil),
			"small Writer below":       upload("/a/c", 1),
			"large Writer below":       upload("/a/d", 100),
			"Move below a file":        d.Move(t.Context(), "/other", "/a/e"),
			"PutContent onto a folder": d.PutContent(t.Context(), "/dir", nil),
		} {
			if m.Can.Has(storagedriver.AbilityFilesUnderFiles) {
				ok(t, what, err)
			} else {
				wantKind(t, what, err, storagedriver.KindInvalidPath)
			}
		}
	})
}

func TestWriterErrorsAreWrapped(t *testing.T) {
	m := &chunkedtest.Memory{Before: func(_ context.Context, op, _ string) error {
		if op == "Put" {
			return storagedriver.NewError(storagedriver.KindNoSpace, "full")
		}
		return nil
	}}
	d := complete(m)
	w, err := d.Writer(t.Context(), "/a", false)
	ok(t, "Writer", err)
	if _, err = w.Write(bytes.Repeat([]byte("x"), 20)); err != nil { // the segments are put behind it
		wantKind(t, "Write", err, storagedriver.KindNoSpace)
	}
	wantKind(t, "Commit", w.Commit(t.Context()), storagedriver.KindNoSpace)
	_, err = w.Write([]byte("x"))
	wantKind(t, "Write", err, storagedriver.KindNoSpace)
	wantKind(t, "Close", w.Close(), storagedriver.KindNoSpace)
}
