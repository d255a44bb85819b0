package guests

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	xwebdav "golang.org/x/net/webdav"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

// longVariable makes the tests that have a long form run it.
const longVariable = "BERTH_LONG"

// streamSize is more than 32 bits hold in the long form, and no whole number of parts. The short
// form crosses the boundaries of parts and buffers alone.
func streamSize() int64 {
	if os.Getenv(longVariable) != "" {
		return 5<<30 + 12_345
	}
	return 48<<20 + 12_345
}

// TestLongStreams uploads one large blob to each driver, suspended by one driver and continued by
// another on the way, and reads it whole and from offsets.
func TestLongStreams(t *testing.T) {
	for name, open := range map[string]func(*testing.T) storagedriver.OpenFunc{
		"filesystem": func(t *testing.T) storagedriver.OpenFunc {
			dir := t.TempDir()
			return func(ctx context.Context, _ map[string]any) (storagedriver.Backend, error) {
				return filesystem.Open(ctx, map[string]any{"rootdirectory": dir})
			}
		},
		"parts": func(t *testing.T) storagedriver.OpenFunc {
			file, err := os.Create(filepath.Join(t.TempDir(), "contents"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { file.Close() })
			s := httptest.NewServer(partstore.New(partstore.Config{MinPart: 1 << 20, File: file}))
			t.Cleanup(s.Close)
			return guest(t, "parts", s.URL, map[string]any{"endpoint": s.URL})
		},
		"webdav": func(t *testing.T) storagedriver.OpenFunc {
			handler := &xwebdav.Handler{FileSystem: xwebdav.Dir(t.TempDir()), LockSystem: xwebdav.NewMemLS()}
			s := httptest.NewServer(http.Handler(handler))
			t.Cleanup(s.Close)
			return guest(t, "webdav", s.URL, map[string]any{"endpoint": s.URL + "/registry"})
		},
	} {
		t.Run(name, func(t *testing.T) { longStream(t, open(t)) })
	}
}

// guest opens drivers of one module.
func guest(t *testing.T, name, origin string, parameters map[string]any) storagedriver.OpenFunc {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, name), runtime.Config{
		Allow: egress.Origins(origin), CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return func(ctx context.Context, _ map[string]any) (storagedriver.Backend, error) {
		return m.Open(ctx, parameters)
	}
}

func longStream(t *testing.T, open storagedriver.OpenFunc) {
	size, budget := streamSize(), chunked.NewBudget(32<<20)
	driver := func() storagedriver.StorageDriver {
		t.Helper()
		b, err := open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return layers.Complete(b, layers.WithBudget(budget))
	}
	const path = "/blobs/long/data"
	for _, upTo := range []int64{size / 3, size} {
		d := driver()
		w, err := d.Writer(t.Context(), path, true)
		if err != nil {
			t.Fatal(err)
		}
		writeStream(t, w, upTo)
		if upTo == size {
			if err := w.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if n := budget.InUse(); n != 0 {
		t.Errorf("%d bytes of the budget were not given back", n)
	}
	d := driver()
	defer d.Close()
	info, err := d.Stat(t.Context(), path)
	if err != nil || info.Size() != size {
		t.Fatalf("want %d bytes, got %v, %v", size, info, err)
	}
	for _, offset := range []int64{size, size - 1, size/2 + 3, 1<<32 - 1, 1 << 32, 0} {
		if offset <= size {
			readStream(t, d, path, offset, size)
		}
	}
}

// stream puts into p what every stream has from offset on: words that occur once.
func stream(p []byte, offset int64) {
	var word [8]byte
	for i := 0; i < len(p); {
		at := offset + int64(i)
		binary.BigEndian.PutUint64(word[:], uint64(at/8))
		i += copy(p[i:], word[at%8:])
	}
}

// writeStream goes on from what w has up to the size.
func writeStream(t *testing.T, w storagedriver.FileWriter, upTo int64) {
	t.Helper()
	piece := make([]byte, 1<<20-7)
	for at := w.Size(); at < upTo; at = w.Size() {
		p := piece[:min(int64(len(piece)), upTo-at)]
		stream(p, at)
		if n, err := w.Write(p); err != nil {
			t.Fatalf("at %d: %v", at, err)
		} else if got := w.Size(); got != at+int64(n) {
			t.Fatalf("at %d: Size is %d after %d bytes", at, got, n)
		}
	}
}

func readStream(t *testing.T, d storagedriver.StorageDriver, path string, offset, size int64) {
	t.Helper()
	r, err := d.Reader(t.Context(), path, offset)
	if err != nil {
		t.Fatalf("Reader from %d: %v", offset, err)
	}
	defer r.Close()
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	at := offset
	for {
		n, err := io.ReadFull(r, got)
		stream(want[:n], at)
		if !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("from %d: other bytes than were written, in the %d at %d", offset, n, at)
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatalf("from %d: at %d: %v", offset, at, err)
		}
	}
	if at != size {
		t.Errorf("from %d: ends at %d, want %d", offset, at, size)
	}
}
