package guests

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
	"github.com/berth-dev/storagedriver/testsuites/guests/parts"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

const (
	minPart  = 64 << 10
	partSize = 256 << 10
)

// server is a part store with its address.
type server struct {
	*partstore.Store
	url string
}

func startStore(t *testing.T) *server {
	t.Helper()
	return serve(t, partstore.New(partstore.Config{MinPart: minPart}))
}

func serve(t *testing.T, store *partstore.Store) *server {
	t.Helper()
	s := httptest.NewServer(store)
	t.Cleanup(s.Close)
	return &server{store, s.URL}
}

func (s *server) parameters(more ...any) map[string]any {
	p := map[string]any{"endpoint": s.url, "min-part": minPart}
	for i := 0; i < len(more); i += 2 {
		p[more[i].(string)] = more[i+1]
	}
	return p
}

// load compiles the guest for drivers that reach s alone. Compiled code is kept for the whole run.
func load(t *testing.T, name, origin string) *runtime.Module {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, name), runtime.Config{
		Allow: egress.Origins(origin), CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript(name),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close of the module: %v", err)
		}
	})
	return m
}

// inTurn opens drivers on eight modules in turn, so that those that a case opens share nothing but what is stored. With a module for
// each driver, loading them is most of what a suite does.
func inTurn(load func() *runtime.Module) storagedriver.OpenFunc {
	var modules [8]*runtime.Module
	for i := range modules {
		modules[i] = load()
	}
	var opened atomic.Uint64
	return func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		return modules[opened.Add(1)%uint64(len(modules))].Open(ctx, parameters)
	}
}

// open opens a driver whose parts have partSize bytes.
func open(t testsuites.T, open storagedriver.OpenFunc, parameters map[string]any) storagedriver.StorageDriver {
	t.Helper()
	b, err := open(t.Context(), parameters)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return layers.Complete(b, layers.WithPartSize(partSize))
}

func (s *server) nativeParts() storagedriver.OpenFunc {
	return native.Open(parts.Manifest(), parts.Open)
}

var smallParts = testsuites.Configure(func(h *testsuites.Harness) { h.PartSize, h.Parallel = partSize, 4 })

// budgeted gives the suite drivers whose writers have a memory budget of their own.
func budgeted(open storagedriver.OpenFunc, parameters map[string]any) testsuites.Option {
	return testsuites.Configure(func(h *testsuites.Harness) {
		h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			t.Helper()
			b, err := open(t.Context(), parameters)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(bytes)))
		}
	})
}

func TestPartsGuestConforms(t *testing.T) {
	t.Parallel()
	s := startStore(t)
	m := load(t, "parts", s.url)
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := m.Open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	t.Cleanup(func() { wantNothingLeft(t, s) })
	parameters := s.parameters("digest", "sha256")
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "parts"), parameters, loader, smallParts, transcribed("parts"), budgeted(m.Open, parameters))
}

func TestPartsConformNatively(t *testing.T) {
	t.Parallel()
	s := startStore(t)
	t.Cleanup(func() { wantNothingLeft(t, s) })
	testsuites.RegisterInProcessSuite(t, func(t testsuites.T) storagedriver.StorageDriver {
		return open(t, s.nativeParts(), s.parameters())
	}, smallParts, budgeted(s.nativeParts(), s.parameters()))
}

// wantNothingLeft wants every upload of the suite to have ended, and no object to be left.
func wantNothingLeft(t *testing.T, s *server) {
	t.Helper()
	if keys := s.Keys(); len(keys) > 0 {
		t.Errorf("want no object left, got %q", keys)
	}
	if keys := s.Unfinished(); len(keys) > 0 {
		t.Errorf("want no unfinished upload left, got %q", keys)
	}
}

// pattern is content that tells its offsets apart.
func pattern(size int) []byte {
	p := make([]byte, size)
	x := uint64(88172645463325252)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x)
	}
	return p
}

func write(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	if n, err := w.Write(p); err != nil || n != len(p) {
		t.Fatalf("Write: want %d bytes accepted, got %d, %v", len(p), n, err)
	}
}
