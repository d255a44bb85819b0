package guests

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

const (
	// loopServers is how many loops run at a time, each with a server and a module of its own.
	loopServers = 4
	// loopPart is the size of their parts: small, because it is the calls that count.
	loopPart = 1000
	// loopIdle is their modules' IdleTimeout.
	loopIdle = 5 * time.Second
)

// long says whether all ways to fail are tried. Every two calls would be days: drivers that are quicker do that.
func long() bool { return os.Getenv("BERTH_LONG") == "1" }

// longScenarios make many calls, and none that "push in three sessions" does not make as well.
var longScenarios = []string{"push in one session", "commit of several segments"}

// wantHolds runs the fault loops on a guest's driver over loopServers storages.
func wantHolds(t *testing.T, h faultloop.Harness, start func() faultloop.Storage) {
	t.Helper()
	free := make(chan faultloop.Storage, loopServers)
	for range loopServers {
		s := start()
		s.Close = func() { free <- s }
		free <- s
	}
	h.New = func(context.Context) (faultloop.Storage, error) { return <-free, nil }
	h.PartSize, h.Parallel, h.Short = loopPart, loopServers, !long()
	if !long() {
		h.Run = func(scenario string) bool { return !slices.Contains(longScenarios, scenario) }
	}
	report := faultloop.Run(t.Context(), h)
	t.Logf("\n%s", report)
	for _, f := range report.Failures() {
		t.Error(f)
	}
	if _, faults := report.Totals(); faults < 500 {
		t.Errorf("only %d runs had a failure", faults)
	}
}

// loopStorage is what a guest reaches at a handler, and at one that fails before it.
func loopStorage(t *testing.T, name string, handler http.Handler, parameters func(url string) map[string]any) faultloop.Storage {
	f := &failing{next: handler}
	sound, broken := httptest.NewServer(handler), httptest.NewServer(f)
	t.Cleanup(sound.Close)
	t.Cleanup(broken.Close)
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, name), runtime.Config{
		Allow: egress.Origins(sound.URL, broken.URL), CacheDir: cacheDir, IdleTimeout: loopIdle, Logger: slog.New(slog.DiscardHandler),
	})
	ok(t, err, "load")
	t.Cleanup(func() {
		wantClosed(t, m)
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close of the module: %v", err)
		}
	})
	open := func(url string) func(ctx context.Context) (storagedriver.Backend, error) {
		return func(ctx context.Context) (storagedriver.Backend, error) { return m.Open(ctx, parameters(url)) }
	}
	return faultloop.Storage{Open: open(sound.URL), OpenFailing: open(broken.URL), Faults: f.faults(!long())}
}

// wantClosed wants a module's bodies to be closed. A tail that was offered and not taken is closed by the host after
// Config.IdleTimeout.
func wantClosed(t *testing.T, m *runtime.Module) {
	for deadline := time.Now().Add(loopIdle + 10*time.Second); m.Stats().OpenBodies != 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d bodies are still open at the end", m.Stats().OpenBodies)
			return
		}
	}
}

func TestPartsGuestHoldsWhateverFails(t *testing.T) {
	t.Parallel()
	wantHolds(t, faultloop.Harness{Name: "parts.wasm", Digests: true}, func() faultloop.Storage {
		store := partstore.New(partstore.Config{MinPart: loopPart / 2})
		s := loopStorage(t, "parts", store, func(url string) map[string]any {
			return map[string]any{"endpoint": url, "min-part": loopPart / 2, "digest": "sha256"}
		})
		s.Left = func(path string) (left []string) {
			for _, key := range append(store.Keys(), store.Unfinished()...) {
				if storagedriver.IsBelow("/"+key, path) {
					left = append(left, key)
				}
			}
			return left
		}
		return s
	})
}

func TestWebDAVGuestHoldsWhateverFails(t *testing.T) {
	t.Parallel()
	wantHolds(t, faultloop.Harness{Name: "webdav.wasm"}, func() faultloop.Storage {
		return loopStorage(t, "webdav", davServer(t).Config.Handler, func(url string) map[string]any {
			return map[string]any{"endpoint": url + "/dav/registry"}
		})
	})
}

// failing is a handler one of whose requests fails.
type failing struct {
	next http.Handler
	rule atomic.Pointer[requestRule]
}

type requestRule struct {
	n      int64
	status int // 0 breaks the connection
	late   bool
	seen   atomic.Int64
}

// faults are the ways to fail, by name; short leaves two out.
func (f *failing) faults(short bool) map[string]faultloop.Inject {
	faults := map[string]faultloop.Inject{}
	for name, c := range map[string]struct {
		status int
		late   bool
	}{
		"the connection breaks before the request's effect": {},
		"the connection breaks after the request's effect":  {late: true},
		"503 before the request's effect":                   {status: http.StatusServiceUnavailable},
		"503 after the request's effect":                    {status: http.StatusServiceUnavailable, late: true},
	} {
		status, late := c.status, c.late
		if short && late != (status == 0) {
			continue // to a guest a request without effect, and an answer that is lost, differ little by how
		}
		faults[name] = func(n int64) func() int64 {
			r := &requestRule{n: n, status: status, late: late}
			f.rule.Store(r)
			return func() int64 {
				f.rule.Store(nil)
				return r.seen.Load()
			}
		}
	}
	return faults
}

// ServeHTTP implements http.Handler.
func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule := f.rule.Load()
	if rule == nil || rule.seen.Add(1) != rule.n {
		f.next.ServeHTTP(w, r)
		return
	}
	if rule.late {
		f.next.ServeHTTP(httptest.NewRecorder(), r)
	}
	if rule.status == 0 {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, "this request was made to fail", rule.status)
}
