package readonly_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/readonly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if storagedriver.KindOf(err) != storagedriver.KindPermission || storagedriver.IsTemporary(err) ||
		!strings.Contains(err.Error(), "the configuration makes this driver read-only") {
		t.Errorf("%s: want it refused by the configuration, got %v", what, err)
	}
}

// TestNoChangeReachesTheBackend calls every changing operation on a backend that would do it.
func TestNoChangeReachesTheBackend(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityListUploads<<1 - 1}
	m.Set("/a", "content")
	m.Before = func(_ context.Context, op, path string) error {
		t.Errorf("%s of %s reached the backend", op, path)
		return nil
	}
	b, ctx := readonly.New(m), t.Context()
	body := storagedriver.BytesSource("x")
	for op, err := range map[string]error{
		"Put": b.Put(ctx, "/b", body), "Delete": b.Delete(ctx, "/a"), "DeleteTree": b.DeleteTree(ctx, "/a"), "Copy": b.Copy(ctx, "/a", "/b"),
		"Move": b.Move(ctx, "/a", "/b"), "Concat": b.Concat(ctx, "/b", []string{"/a"}), "SuspendUpload": b.SuspendUpload(ctx, "t", nil, body),
		"CommitUpload": b.CommitUpload(ctx, "t", nil, body), "CancelUpload": b.CancelUpload(ctx, "t"), "AbortUploads": b.AbortUploads(ctx, "/a"),
	} {
		wantRefused(t, op, err)
	}
	_, err := b.OpenUpload(ctx, "/a", true)
	wantRefused(t, "OpenUpload", err)
	_, err = b.PutPart(ctx, "t", storagedriver.Part{Body: body})
	wantRefused(t, "PutPart", err)
	for _, method := range []string{"PUT", "POST", "DELETE", "get"} {
		_, err = b.Redirect(ctx, "/a", storagedriver.RedirectOptions{Method: method})
		wantRefused(t, "Redirect of "+method, err)
	}
}

func TestCapabilitiesAreThoseOfReading(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityListUploads<<1 - 1}
	const want = "parts,list-tree,redirect,unsorted,files-under-files,list-uploads"
	if got := readonly.New(m).Capabilities().Abilities.String(); got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

// TestTheGate has a driver with parts and one without: reads pass, and changes fail at once.
func TestTheGate(t *testing.T) {
	root := t.TempDir()
	parts, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": root})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]storagedriver.Backend{"parts": parts, "derived": inmemory.New()} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if err := layers.Complete(b).PutContent(ctx, "/dir/a", []byte("content")); err != nil {
				t.Fatal(err)
			}
			d := layers.Complete(readonly.New(b))
			for _, append := range []bool{false, true} {
				for _, path := range []string{"/dir/a", "/dir/b"} {
					_, err := d.Writer(ctx, path, append)
					wantRefused(t, "Writer "+path, err)
				}
			}
			wantRefused(t, "PutContent", d.PutContent(ctx, "/dir/a", []byte("x")))
			wantRefused(t, "Move", d.Move(ctx, "/dir/a", "/dir/b"))
			wantRefused(t, "Delete", d.Delete(ctx, "/dir/a"))
			wantRefused(t, "Delete of a directory", d.Delete(ctx, "/dir"))

			if got, err := d.GetContent(ctx, "/dir/a"); err != nil || string(got) != "content" {
				t.Errorf("GetContent: %q, %v", got, err)
			}
			r, err := d.Reader(ctx, "/dir/a", 3)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || string(got) != "tent" {
				t.Errorf("Reader: %q, %v", got, err)
			}
			if info, err := d.Stat(ctx, "/dir/a"); err != nil || info.Size() != 7 {
				t.Errorf("Stat: %v, %v", info, err)
			}
			if got, err := d.List(ctx, "/dir"); err != nil || len(got) != 1 {
				t.Errorf("List: %v, %v", got, err)
			}
			n := 0
			if err := d.Walk(ctx, "/", func(storagedriver.FileInfo) error { n++; return nil }); err != nil || n != 2 {
				t.Errorf("Walk: %d, %v", n, err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
