//go:build servers

package guests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// TestRustS3ConformsOnVersitygw is on a service that refuses files below files itself.
func TestRustS3ConformsOnVersitygw(t *testing.T) {
	parameters := map[string]any{"files-under-files": "refused"}
	conformsOnS3(t, "rust-s3", servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"), parameters)
}

// TestRustS3ConformsOnMinio has the driver look for them, and keep all in a directory.
func TestRustS3ConformsOnMinio(t *testing.T) {
	parameters := map[string]any{"files-under-files": "checked", "rootdirectory": "/one/registry"}
	conformsOnS3(t, "rust-s3", servers.StartS3(t, "minio", "BERTH_MINIO"), parameters)
}

// TestRustS3OnVersitygw is about what the conformance suite cannot see.
func TestRustS3OnVersitygw(t *testing.T) {
	rustS3(t, servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"))
}

func TestRustS3OnMinio(t *testing.T) {
	rustS3(t, servers.StartS3(t, "minio", "BERTH_MINIO"))
}

func rustS3(t *testing.T, s servers.S3) {
	m, parameters := loadForS3(t, "rust-s3", s, map[string]any{"copy-threshold": 6 << 20, "copy-part-size": s3Part})
	b := openBackend(t, m, parameters)
	t.Run("redirect", func(t *testing.T) { redirects(t, b) })
	t.Run("copy in parts", func(t *testing.T) { copiesInParts(t, b) })
	t.Run("moves that meet", func(t *testing.T) { movesThatMeet(t, b) })
	t.Run("another process", func(t *testing.T) { goesOnElsewhere(t, s, b, parameters) })
	t.Run("tree", func(t *testing.T) { endsUploadsOfTrees(t, b) })
	t.Run("refused", func(t *testing.T) { saysWhatIsRefused(t, m, s, parameters) })
}

func openBackend(t *testing.T, m *runtime.Module, parameters map[string]any) storagedriver.Backend {
	t.Helper()
	b, err := m.Open(t.Context(), parameters)
	ok(t, err, "Open")
	t.Cleanup(func() { ok(t, b.Close(), "Close") })
	return b
}

// fetch sends a plain request to where the driver redirects.
func fetch(t *testing.T, b storagedriver.Backend, method, path string) (*http.Response, []byte) {
	t.Helper()
	url, err := b.Redirect(t.Context(), path, storagedriver.RedirectOptions{Method: method})
	ok(t, err, "Redirect")
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	ok(t, err, "NewRequest")
	resp, err := http.DefaultClient.Do(r)
	ok(t, err, method)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	ok(t, err, "read the body")
	return resp, content
}

func redirects(t *testing.T, b storagedriver.Backend) {
	const path, want = "/redirect/a", "content"
	ok(t, b.Put(t.Context(), path, storagedriver.BytesSource(want)), "Put")
	if resp, got := fetch(t, b, http.MethodGet, path); resp.StatusCode != http.StatusOK || string(got) != want {
		t.Errorf("want 200 with %q, got %s with %q", want, resp.Status, got)
	}
	if resp, _ := fetch(t, b, http.MethodHead, path); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(want)) {
		t.Errorf("want 200 with a length of %d, got %s with %d", len(want), resp.Status, resp.ContentLength)
	}
	url, err := b.Redirect(t.Context(), path, storagedriver.RedirectOptions{Method: http.MethodPut})
	if err != nil || url != "" {
		t.Errorf("want no URL to write to, got %q, %v", url, err)
	}
}

// copiesInParts looks at the ETag of what was copied, which says of how many parts it is.
func copiesInParts(t *testing.T, b storagedriver.Backend) {
	content := make([]byte, 2*s3Part+4711)
	for i := range content {
		content[i] = byte(i >> 10)
	}
	for _, c := range []struct {
		dest, parts string
		size        int
	}{{"/copy/parts", "3", len(content)}, {"/copy/whole", "", 6 << 20}} {
		want := content[:c.size]
		ok(t, b.Put(t.Context(), "/copy/source", storagedriver.BytesSource(want)), "Put")
		ok(t, b.Copy(t.Context(), "/copy/source", c.dest), "Copy")
		resp, got := fetch(t, b, http.MethodGet, c.dest)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: want the %d bytes of the source, got %s with %d", c.dest, len(want), resp.Status, len(got))
		}
		tag := strings.Trim(resp.Header.Get("ETag"), `"`)
		if _, parts, _ := strings.Cut(tag, "-"); parts != c.parts {
			t.Errorf("%s: want an ETag of %q parts, got %s", c.dest, c.parts, tag)
		}
	}
	wantKind(t, b.Copy(t.Context(), "/copy/missing", "/copy/whole"), storagedriver.KindNotFound, "Copy of nothing")
}

// movesThatMeet moves the same content to one path as clients do that push one layer. Each ends what is under way there, the copies in parts of
// the others with it.
func movesThatMeet(t *testing.T, b storagedriver.Backend) {
	const dest = "/meet/blob"
	want := bytes.Repeat([]byte("layer"), 3*s3Part/5)
	source := func(i int) string { return fmt.Sprintf("/meet/upload%d", i) }
	var failures [6]error
	for i := range failures {
		ok(t, b.Put(t.Context(), source(i), storagedriver.BytesSource(want)), "Put")
	}
	d := layers.Complete(b) // which b's Close closes
	var moves sync.WaitGroup
	for i := range failures {
		done := make(chan struct{})
		moves.Go(func() {
			failures[i] = d.Move(t.Context(), source(i), dest)
			close(done)
		})
		beginsToCopy(t, b, "/meet", done)
	}
	moves.Wait()
	ok(t, errors.Join(failures[:]...), "Move")
	if _, got := fetch(t, b, http.MethodGet, dest); !bytes.Equal(got, want) {
		t.Errorf("want the %d bytes of the source, got %d others", len(want), len(got))
	}
}

// beginsToCopy waits until an upload to below dir is under way, or done.
func beginsToCopy(t *testing.T, b storagedriver.Backend, dir string, done <-chan struct{}) {
	t.Helper()
	for {
		page, err := b.(storagedriver.Uploads).ListUploads(t.Context(), dir, "", 10)
		ok(t, err, "ListUploads")
		if len(page.Entries) > 0 {
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// goesOnElsewhere suspends an upload and goes on with it in a module of its own, which shares nothing with the first.
func goesOnElsewhere(t *testing.T, s servers.S3, b storagedriver.Backend, parameters map[string]any) {
	const path = "/upload/a"
	part, tail := bytes.Repeat([]byte("part"), s3Part/4), []byte("tail")
	u, receipts := suspended(t, b, path, part, tail)

	other := openBackend(t, loadRustS3(t, s, s.SecretKey), parameters)
	again, err := other.OpenUpload(t.Context(), path, true)
	ok(t, err, "OpenUpload")
	if !again.Resumed || again.Receipts == nil || again.Tail == nil {
		t.Fatalf("want the upload with its part and its tail, got %+v", again)
	}
	kept, err := again.Tail.Open(t.Context())
	ok(t, err, "Open of the tail")
	got, err := io.ReadAll(kept)
	ok(t, err, "read the tail")
	ok(t, kept.Close(), "Close of the tail")
	if !bytes.Equal(got, tail) {
		t.Errorf("want the tail %q, got %q", tail, got)
	}
	second := put(t, other, again, 2, int64(len(part)), part)
	again.Receipts.Set(second)
	wantKind(t, b.SuspendUpload(t.Context(), u.Token, receipts, nil), storagedriver.KindConflict, "SuspendUpload of the first writer")
	ok(t, other.CommitUpload(t.Context(), again.Token, again.Receipts, storagedriver.BytesSource(tail)), "CommitUpload")
	want := slices.Concat(part, part, tail)
	if resp, got := fetch(t, b, http.MethodGet, path); !bytes.Equal(got, want) {
		t.Errorf("want the %d bytes of both writers, got %s with %d", len(want), resp.Status, len(got))
	}
	wantNames(t, b, "/upload", "a")
}

// suspended stores a part and a tail of an upload.
func suspended(t *testing.T, b storagedriver.Backend, path string, part, tail []byte) (storagedriver.Upload, *storagedriver.Receipts) {
	t.Helper()
	u, err := b.OpenUpload(t.Context(), path, false)
	ok(t, err, "OpenUpload")
	receipts := &storagedriver.Receipts{}
	receipts.Set(put(t, b, u, 1, 0, part))
	ok(t, b.SuspendUpload(t.Context(), u.Token, receipts, storagedriver.BytesSource(tail)), "SuspendUpload")
	return u, receipts
}

func put(t *testing.T, b storagedriver.Backend, u storagedriver.Upload, number int, offset int64, content []byte) storagedriver.Receipt {
	t.Helper()
	data, err := b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: number, Offset: offset, Body: storagedriver.BytesSource(content)})
	ok(t, err, "PutPart")
	return storagedriver.Receipt{Number: number, Offset: offset, Size: int64(len(content)), Data: data}
}

// wantNames wants the keys below dir, private ones too.
func wantNames(t *testing.T, b storagedriver.Backend, dir string, want ...string) {
	t.Helper()
	page, err := b.ListTree(t.Context(), dir, "", "", 1000)
	ok(t, err, "ListTree")
	var names []string
	for _, e := range page.Entries {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("want %q below %s, got %q", want, dir, names)
	}
}

func endsUploadsOfTrees(t *testing.T, b storagedriver.Backend) {
	for _, path := range []string{"/tree/a", "/tree/b/c", "/tree-not"} {
		ok(t, b.Put(t.Context(), path, storagedriver.BytesSource(path)), "Put")
	}
	u, _ := suspended(t, b, "/tree/b/d", []byte("part"), []byte("tail"))
	ok(t, b.DeleteTree(t.Context(), "/tree"), "DeleteTree")
	wantNames(t, b, "/tree")
	_, err := b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: 2, Offset: 4, Body: storagedriver.BytesSource("part")})
	wantKind(t, err, storagedriver.KindConflict, "PutPart of an upload that has ended")
	_, err = b.Stat(t.Context(), "/tree-not")
	ok(t, err, "Stat of a neighbour")

	since := time.Now().Truncate(time.Second)
	for _, path := range []string{"/tree/e", "/tree/e/f", "/tree-not"} {
		begin(t, b, path)
	}
	if page, err := b.ListUploads(t.Context(), "/tree", "", 1000); err != nil {
		t.Errorf("ListUploads: %v", err)
	} else if len(page.Entries) > 0 { // minio lists none below a prefix
		if names := listed(t, b, "/tree", 1, since); !slices.Equal(names, []string{"e", "e/f"}) {
			t.Errorf(`want "e" and "e/f", got %q`, names)
		}
	}
	ok(t, b.AbortUploads(t.Context(), "/tree/e"), "AbortUploads")
	if names := listed(t, b, "/tree", 1000, since); len(names) > 0 {
		t.Errorf("want no uploads, got %q", names)
	}
}

// loadRustS3 loads the driver with a key of its own.
func loadRustS3(t *testing.T, s servers.S3, secret string) *runtime.Module {
	t.Helper()
	signer, err := sigv4.New(t.Context(), sigv4.Config{AccessKey: s.AccessKey, SecretKey: factory.NewSecret(secret), Region: servers.Region}, nil)
	ok(t, err, "New of a signer")
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "rust-s3"), runtime.Config{
		Allow:    []egress.Rule{{Origin: s.URL, Credential: egress.Credential{Name: "storage", Signer: signer}}},
		CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler),
	})
	ok(t, err, "Load")
	t.Cleanup(func() { ok(t, m.Close(context.Background()), "Close of the module") })
	return m
}

func saysWhatIsRefused(t *testing.T, m *runtime.Module, s servers.S3, parameters map[string]any) {
	with := func(name string, value any) map[string]any {
		changed := map[string]any{name: value}
		for n, v := range parameters {
			if n != name {
				changed[n] = v
			}
		}
		return changed
	}
	for _, c := range []struct {
		what       string
		m          *runtime.Module
		parameters map[string]any
		kind       storagedriver.Kind
		words      []string
	}{
		{"another origin", m, with("endpoint", "http://127.0.0.1:1"), storagedriver.KindDenied, []string{"the origin http://127.0.0.1:1 is not allowed", "--allow"}},
		{"no bucket", m, with("bucket", "missing"), storagedriver.KindInvalidArgument, []string{`there is no bucket "missing"`, "NoSuchBucket"}},
		{"another key", loadRustS3(t, s, "wrong"), parameters, storagedriver.KindPermission, []string{"look at the secret key", `"storage"`, "SignatureDoesNotMatch"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := openBackend(t, c.m, c.parameters).Stat(t.Context(), "/")
			wantKind(t, err, c.kind, "Stat")
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
					t.Errorf("want one line that says %q, got %q", w, err)
				}
			}
		})
	}
}
