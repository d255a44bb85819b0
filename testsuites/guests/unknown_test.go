package guests

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

// withTags compiles a guest of this module as guestbuild does, with build tags.
func withTags(t *testing.T, name, tags string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name+".wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", out, "./"+name)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", name, err, said)
	}
	return out
}

// The tag is that of TinyGo's target wasm-unknown. Standard Go has WASI all the same, but the SDK then waits and fails as it does without.
var bothWays = map[string]string{"with WASI": "", "without": "wasm_unknown"}

func TestAGuestSleeps(t *testing.T) {
	for name, tags := range bothWays {
		t.Run(name, func(t *testing.T) {
			m, err := runtime.Load(t.Context(), withTags(t, "waiting", tags), runtime.Config{CacheDir: cacheDir})
			ok(t, err, "load")
			defer func() { ok(t, m.Close(context.Background()), "close the module") }()
			b, err := m.Open(t.Context(), nil)
			ok(t, err, "open")
			for _, milliseconds := range []int{0, 1, 50} {
				ok(t, b.Put(t.Context(), "/a", storagedriver.BytesSource(make([]byte, milliseconds))), "a sleep")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err = b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, time.Hour/time.Millisecond)))
			wantError(t, err, storagedriver.KindDeadline)
			ok(t, b.Close(), "close")
		})
	}
}

func TestAGuestWithoutADriverSaysSo(t *testing.T) {
	for name, tags := range bothWays {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			_, err := runtime.Load(t.Context(), withTags(t, "unregistered", tags), runtime.Config{CacheDir: cacheDir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			const want = "no driver is registered; call berth.Register"
			if err == nil || !strings.Contains(err.Error()+log.String(), want) {
				t.Errorf("%v; the log has %q: want %q in one of them", err, log.String(), want)
			}
			if tags != "" && !strings.Contains(log.String(), want) {
				t.Errorf("the log has %q, want %q", log.String(), want)
			}
		})
	}
}
