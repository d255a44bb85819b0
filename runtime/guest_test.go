package runtime_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// cacheDir is shared by the tests, so that the guest is compiled once.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "berth-runtime")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cacheDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

// exercise returns the guest of testdata/exercise, built once for all tests.
var exercise = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "berth-exercise")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "exercise.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "./testdata/exercise")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the guest: %w\n%s", err, text)
	}
	return os.ReadFile(out)
})

// store is a plain HTTP object server.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string][]byte
	headers map[string]http.Header // of the last PUT
	release chan struct{}          // closed when the server ends
}

func newStore(t testing.TB) *store {
	s := &store{objects: map[string][]byte{}, headers: map[string]http.Header{}, release: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { close(s.release); s.Server.Close() })
	return s
}

func (s *store) set(path string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = b
}

func (s *store) get(path string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[path]
	return b, ok
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/redirect":
		http.Redirect(w, r, "/big", http.StatusFound)
		return
	case r.URL.Path == "/cut":
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/stall":
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 10))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-s.release:
		}
		return
	case r.URL.Path == "/range", r.URL.Path == "/multipart":
		w.Header().Set("Content-Range", "bytes 0-9/1000")
		if r.URL.Path == "/multipart" {
			w.Header().Set("Content-Range", "bytes 0-999/1000")
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
		}
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(make([]byte, 1000))
		return
	case strings.HasPrefix(r.URL.Path, "/early"): // answers, and takes no more of the body
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusCreated)
		_ = http.NewResponseController(w).Flush()
		<-s.release
		return
	case r.Method == http.MethodPut:
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.headers[r.URL.Path] = r.Header.Clone()
		s.headers[r.URL.Path].Set("X-Length", fmt.Sprint(r.ContentLength))
		s.mu.Unlock()
		s.set(r.URL.Path, b)
		w.WriteHeader(http.StatusCreated)
		return
	case r.URL.RawQuery == "list":
		s.list(w, r.URL.Path)
		return
	}
	b, ok := s.get(r.URL.Path)
	switch {
	case !ok:
		http.Error(w, "no such object", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		delete(s.objects, r.URL.Path)
		s.mu.Unlock()
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

func (s *store) list(w io.Writer, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for p := range s.objects {
		rest, ok := strings.CutPrefix(p, strings.TrimSuffix(path, "/")+"/")
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			rest = rest[:i+1]
		}
		names = append(names, rest)
	}
	slices.Sort(names)
	_, _ = io.WriteString(w, strings.Join(slices.Compact(names), "\n"))
}

// load compiles the exercise guest.
func load(t testing.TB, cfg runtime.Config) *runtime.Module {
	t.Helper()
	wasm, err := exercise()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.CacheDir == "" {
		cfg.CacheDir = cacheDir
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := runtime.Compile(t.Context(), "exercise.wasm", wasm, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := m.Stats().OpenBodies; n != 0 {
			t.Errorf("%d bodies left open", n)
		}
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := m.Stats().MappedBytes; n != 0 {
			t.Errorf("%d bytes left mapped", n)
		}
	})
	return m
}

// open opens the guest on a server of its own.
func open(t testing.TB, cfg runtime.Config, params map[string]any) (storagedriver.Backend, *store, *runtime.Module) {
	t.Helper()
	s := newStore(t)
	cfg.Allow = append(cfg.Allow, egress.Origins(s.URL)...)
	m := load(t, cfg)
	all := map[string]any{"endpoint": s.URL}
	for k, v := range params {
		all[k] = v
	}
	d, err := m.Open(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, s, m
}

// unique is content in which no two 8-byte words are alike.
func unique(n int) []byte {
	b, word := make([]byte, 0, n+8), make([]byte, 4)
	for i := uint32(0); len(b) < n; i++ {
		binary.BigEndian.PutUint32(word, i)
		b = hex.AppendEncode(b, word) // with the race detector fmt takes ten times as long
	}
	return b[:n]
}

func wantKind(t *testing.T, err error, kind storagedriver.Kind, parts ...string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind || err == nil {
		t.Fatalf("error %v of kind %v, want kind %v", err, storagedriver.KindOf(err), kind)
	}
	text := err.Error()
	if strings.ContainsAny(text, "\n\r\x1b") {
		t.Errorf("the error %q is not one line", text)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("the error %q does not mention %q", text, p)
		}
	}
}

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after 10 seconds it is not so that %s", what)
		}
	}
}
