//go:build servers

package guests

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// TestRustMemoryConforms is TestGoMemoryConforms of a guest in Rust.
func TestRustMemoryConforms(t *testing.T) {
	t.Parallel()
	memoryConforms(t, "rust-memory")
}

// TestRustLayerConforms has a guest in Rust keep everything in a store: its uploads are the store's, or derived, or the store's with bytes
// that the guest changes on their way.
func TestRustLayerConforms(t *testing.T) {
	path := guestbuild.Path(t, "rust-exercise")
	cfg := runtime.Config{Record: transcript("rust-exercise")}
	for _, mode := range []string{"delegate", "derived", "transform"} {
		t.Run(mode, func(t *testing.T) {
			kept := keptBackend{inmemory.New()}
			opened := func(ctx context.Context, options ...layers.Option) (storagedriver.StorageDriver, error) {
				options = append(options, layers.WithPartSize(partSize))
				return layerOn(ctx, path, layers.Complete(kept, options...), mode, cfg, options...)
			}
			loader := func(ctx context.Context, _ string, _ map[string]any) (storagedriver.StorageDriver, error) {
				return opened(ctx)
			}
			budgeted := testsuites.Configure(func(h *testsuites.Harness) {
				h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
					d, err := opened(t.Context(), layers.WithBudget(chunked.NewBudget(bytes)))
					if err != nil {
						t.Fatalf("open: %v", err)
					}
					return d
				}
			})
			testsuites.RegisterWasmSuite(t, path, map[string]any{"mode": mode}, loader, smallParts, transcribed("rust-exercise"), budgeted)
		})
	}
}

// exercising opens the guest rust-exercise on memory.
func exercising(t *testing.T, log *slog.Logger) storagedriver.Backend {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "rust-exercise"), runtime.Config{
		CacheDir: cacheDir, Logger: log, Stores: map[string]storagedriver.StorageDriver{"under": layers.Complete(inmemory.New())},
		Secrets: map[string]runtime.Secret{"salt": {Value: "s3cret", Readable: true}, "bound": {Value: "k3y", Origins: []string{"http://127.0.0.1:1"}}},
	})
	ok(t, err, "Load")
	t.Cleanup(func() { ok(t, m.Close(context.Background()), "Close of the module") })
	b, err := m.Open(t.Context(), map[string]any{})
	ok(t, err, "Open")
	t.Cleanup(func() { ok(t, b.Close(), "Close") })
	return b
}

// TestRustGuestUsesTheHost has a guest ask for what it then holds against what it must be.
func TestRustGuestUsesTheHost(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	b := exercising(t, slog.New(slog.NewTextHandler(&lines, nil)))
	for _, check := range []string{"content", "values", "secrets"} {
		_, err := b.Stat(t.Context(), "/check~/"+check)
		ok(t, err, check)
	}
	if !strings.Contains(lines.String(), "checked") || strings.Contains(lines.String(), "metric") {
		t.Errorf("want a line of the guest's in the log and no metric refused, got\n%s", &lines)
	}
}

// TestRustPanicSaysWhere has a guest panic in its own code and in the standard library's, and use its stack up.
func TestRustPanicSaysWhere(t *testing.T) {
	t.Parallel()
	b := exercising(t, slog.New(slog.DiscardHandler))
	for check, words := range map[string][]string{
		"other": {"panic: no way to check other (at src/checks.rs:"},
		"equal": {"panic: assertion", `"other"`, "two lines", "(at src/checks.rs:"}, // in several lines, when it was not made one
		"index": {"panic: ", "(at "},
		"depth": nil,
	} {
		_, err := b.Stat(t.Context(), "/check~/"+check)
		var failure *runtime.GuestError
		if !errors.As(err, &failure) || storagedriver.KindOf(err) != storagedriver.KindGuest {
			t.Errorf("%s: want a guest failure, got %v", check, err)
			continue
		}
		for _, w := range words {
			if !strings.Contains(failure.Stderr, w) || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: want %q in what it says last and in the error, got %q in\n%v", check, w, failure.Stderr, err)
			}
		}
		if words == nil && failure.Stderr != "" {
			t.Errorf("%s: want nothing said, got %q", check, failure.Stderr)
		}
		if !strings.Contains(failure.Stack, "berth_guest") && !strings.Contains(failure.Stack, "rust_exercise") {
			t.Errorf("%s: want the stack to name functions, got\n%s", check, failure.Stack)
		}
		_, err = b.List(t.Context(), "/", "", 10)
		ok(t, err, "List on another instance")
	}
}
