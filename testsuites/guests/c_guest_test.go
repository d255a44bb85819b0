//go:build servers

package guests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// compiledC compiles guest-sdk/c/testdata/NAME.c to a guest, as guest-sdk/c/README.md says.
func compiledC(t *testing.T, name string) string {
	t.Helper()
	source := filepath.Join(cSDK, "testdata", name+".c")
	for _, file := range []string{source, filepath.Join(cSDK, "berth.h")} {
		if _, err := os.ReadFile(file); err != nil { // so that go test knows what a cached result is of
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), name+".wasm")
	text, err := exec.Command("clang", "--target=wasm32", "-O2", "-std=c11", "-ffreestanding", "-nostdlib", "-mbulk-memory", "-msign-ext",
		"-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic", "-Wno-infinite-recursion", "-I", cSDK,
		"-Wl,--no-entry,--stack-first,-z,stack-size=1048576,--strip-debug", "-o", out, source).CombinedOutput()
	if err != nil {
		t.Fatalf("clang and lld compile the tests of guest-sdk/c (Debian: apt-get install clang lld): %v\n%s", err, text)
	}
	return out
}

// objectAt keeps one object, at /object.
func objectAt(t *testing.T) http.Handler {
	var content []byte
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			var err error
			if content, err = io.ReadAll(r.Body); err != nil || r.ContentLength != int64(len(content)) || r.Header.Get("X-From") != "c" {
				t.Errorf("PUT of %d bytes, %v, with the headers %v", r.ContentLength, err, r.Header)
			}
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusCreated)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

// TestCGuestOnItsHost has a guest in C ask the host for what hosts do.
func TestCGuestOnItsHost(t *testing.T) {
	t.Parallel()
	under := layers.Complete(inmemory.New())
	server := httptest.NewServer(objectAt(t))
	t.Cleanup(server.Close)
	m, err := runtime.Load(t.Context(), compiledC(t, "exercise"), runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, Logger: slog.New(slog.DiscardHandler), Allow: egress.Origins(server.URL),
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Open(t.Context(), map[string]any{"text": "a \"greeting\"\n\u00e9\U0001f600", "loud": true, "times": -12, "endpoint": server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), m.Close(context.Background()), under.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, c := range [][2]string{
		{"/greeting", "a \"greeting\"\n\u00e9\U0001f600! -12"},
		{"/hash", "900150983cd24fb0d6963f7d28e17f72"},
		{"/hash-sink", "900150983cd24fb0d6963f7d28e17f72"},
		{"/time", "Tue, 14 Nov 2023 22:13:20 GMT, 1700000000000000000"},
		{"/store", "hello, store"},
		{"/long", "300 a-rather-long-name-399"},
		{"/metric", "counted"},
		{"/random", "random"},
		{"/http", `"1" hello over http`},
		{"/http-all", "hello over http, the origin"},
		{"/body", "hello over http"},
		{"/stream", "made hello over http"},
	} {
		path, want := c[0], c[1]
		r, _, err := b.Read(t.Context(), path, 0, -1)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: want %q, got %q, %v", path, want, got, err)
		}
	}
	_, _, err = b.Read(t.Context(), "/denied", 0, -1)
	wantError(t, err, storagedriver.KindDenied, "http://nowhere.example")
	_, _, err = b.Read(t.Context(), "/absent", 0, -1)
	wantKind(t, err, storagedriver.KindNotFound, "Read of nothing")
	_, _, err = b.Read(t.Context(), "/kept", 0, -1)
	wantError(t, err, storagedriver.KindUnavailable, "come again")
	var e *storagedriver.Error
	if !errors.As(err, &e) || !e.Temporary || e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("want a temporary error to be tried again after 1.5s, got %#v", e)
	}
	err = b.Delete(t.Context(), "/a")
	wantKind(t, err, storagedriver.KindNotFound, "Delete")
	// A failed assertion says where, and costs the instance alone.
	_, _, err = b.Read(t.Context(), "/assert", 0, -1)
	wantError(t, err, storagedriver.KindGuest, "want out->n == 1 + 1", "exercise.c:")
	var broken *runtime.GuestError
	if !errors.As(err, &broken) || !strings.Contains(broken.Stack, "run_assert") {
		t.Errorf("want a stack with the function's name, got %+v", broken)
	}
	// So does a stack that is used up: below it is nothing that could be overwritten.
	_, _, err = b.Read(t.Context(), "/deep", 0, -1)
	wantKind(t, err, storagedriver.KindGuest, "Read by a recursion without end")
	if _, _, err := b.Read(t.Context(), "/hash", 0, -1); err != nil {
		t.Errorf("after two instances broke: %v", err)
	}
}

// TestCMemoryStaysFlat has the driver in C keep some contents, over and over, in memory that holds twice as much.
func TestCMemoryStaysFlat(t *testing.T) {
	t.Parallel()
	b, m := cMemory(t, map[string]any{"most": 4 << 20})
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 64<<10)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	sizes := map[string]int{}
	early := int64(0)
	for i := range 100_000 {
		path := fmt.Sprintf("/dir-%d/file-%d", random.IntN(8), random.IntN(16))
		size, there := sizes[path]
		switch i % 5 {
		case 0, 1:
			size = random.IntN(4 << 10)
			if random.IntN(50) == 0 {
				size = random.IntN(len(content))
			}
			ok(t, b.Put(t.Context(), path, storagedriver.BytesSource(content[:size])), "Put")
			sizes[path] = size
		case 2:
			if err := b.Delete(t.Context(), path); there && err != nil {
				t.Fatal(err)
			}
			delete(sizes, path)
		case 3:
			r, _, err := b.Read(t.Context(), path, 0, -1)
			if !there {
				wantKind(t, err, storagedriver.KindNotFound, "Read")
				break
			}
			ok(t, err, "Read")
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content[:size]) {
				t.Fatalf("Read: want %d bytes, got %d, %v", size, len(got), err)
			}
			ok(t, r.Close(), "Close")
		default:
			if _, err := b.List(t.Context(), path[:6], "", 1000); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
				t.Fatal(err)
			}
		}
		if i == 5000 {
			early = m.Stats().MappedBytes
		}
	}
	if now := m.Stats().MappedBytes; now > early+1<<20 || now > 12<<20 {
		t.Errorf("want the memory of the beginning, %d bytes, got %d", early, now)
	}
	wantKind(t, b.Put(t.Context(), "/more", storagedriver.BytesSource(make([]byte, 4<<20+1))), storagedriver.KindNoSpace, "Put of more than may be kept")
	if page, err := b.List(t.Context(), "/", "", 100); err != nil || len(page.Entries) > 8 {
		t.Errorf("after the put that failed: %+v, %v", page, err)
	}
}

// TestCMemoryServesWhenItIsFull has objects stored until there is no memory for more.
func TestCMemoryServesWhenItIsFull(t *testing.T) {
	t.Parallel()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "c-memory"), runtime.Config{CacheDir: cacheDir, MemoryLimit: 32 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Open(t.Context(), map[string]any{})
	ok(t, err, "Open")
	t.Cleanup(func() { ok(t, errors.Join(b.Close(), m.Close(context.Background())), "Close") })
	content, stored := pattern(700_000), 0
	for ; stored < 100; stored++ {
		if err = b.Put(t.Context(), fmt.Sprintf("/dir/%d", stored), storagedriver.BytesSource(content)); err != nil {
			break
		}
	}
	wantKind(t, err, storagedriver.KindNoSpace, "Put of more than there is memory for")
	if stored < 30 {
		t.Errorf("want at least 30 objects of %d bytes in 32 MiB, got %d", len(content), stored)
	}
	for range 2 {
		for i := range stored {
			r, _, err := b.Read(t.Context(), fmt.Sprintf("/dir/%d", i), 0, -1)
			ok(t, err, "Read")
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("object %d: %d bytes, %v", i, len(got), err)
			}
		}
		page, err := b.List(t.Context(), "/dir", "", 1000)
		if err != nil || len(page.Entries) != stored {
			t.Fatalf("List: want %d entries, got %d, %v", stored, len(page.Entries), err)
		}
		wantKind(t, b.Put(t.Context(), "/more", storagedriver.BytesSource(content)), storagedriver.KindNoSpace, "Put of more")
	}
	ok(t, b.Delete(t.Context(), "/dir/1"), "Delete")
	ok(t, b.Put(t.Context(), "/more", storagedriver.BytesSource(content)), "Put where there is memory again")
}

// TestCMemoryAnswersInPieces reads content that is longer than a message, and content that is replaced while it is read.
func TestCMemoryAnswersInPieces(t *testing.T) {
	t.Parallel()
	b, _ := cMemory(t, map[string]any{})
	content := pattern(2<<20 + 3)
	ok(t, b.Put(t.Context(), "/a", storagedriver.BytesSource(content)), "Put")
	read := func(offset, length int64) (io.ReadCloser, int64) {
		r, n, err := b.Read(t.Context(), "/a", offset, length)
		ok(t, err, "Read")
		return r, n
	}
	for _, c := range []struct{ offset, length, want int64 }{{0, -1, 2<<20 + 3}, {7, 1 << 20, 1 << 20}, {1<<20 + 1, 2 << 20, 1<<20 + 2}, {2<<20 + 3, -1, 0}} {
		r, n := read(c.offset, c.length)
		if got, err := io.ReadAll(r); err != nil || n != c.want || !bytes.Equal(got, content[c.offset:c.offset+c.want]) {
			t.Errorf("%d bytes from %d: %d of %d, %v", c.length, c.offset, len(got), n, err)
		}
	}
	r, _ := read(0, -1)
	ok(t, b.Put(t.Context(), "/a", storagedriver.BytesSource(pattern(3<<20))), "Put")
	_, err := io.ReadAll(r)
	wantKind(t, err, storagedriver.KindConflict, "reading on in what was replaced")
}
