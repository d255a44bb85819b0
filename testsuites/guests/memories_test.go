package guests

import (
	"context"
	"log/slog"
	"os/exec"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// TestGoMemoryConforms has a guest answer with what it has in memory, a message's worth at a time.
func TestGoMemoryConforms(t *testing.T) {
	t.Parallel()
	memoryConforms(t, "go-memory")
}

// TestTinyGoMemoryConforms is TestGoMemoryConforms of the same source by TinyGo.
func TestTinyGoMemoryConforms(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tinygo"); err != nil {
		t.Skip("tinygo is not in PATH: nothing is verified of the SDK with it")
	}
	memoryConforms(t, "tinygo-memory")
}

// memoryConforms runs the suite on a guest that keeps objects in its memory: all drivers are on one opening of it.
func memoryConforms(t *testing.T, name string) {
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, name), runtime.Config{
		CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript(name),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close of the module: %v", err)
		}
	})
	b, err := m.Open(t.Context(), map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close of the driver: %v", err)
		}
	})
	open := func(context.Context, map[string]any) (storagedriver.Backend, error) { return unclosed{b}, nil }
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := open(ctx, parameters)
		return layers.Complete(b, layers.WithPartSize(partSize)), err
	}
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, name), map[string]any{}, loader, smallParts, transcribed(name), budgeted(open, map[string]any{}))
}

// unclosed is a backend that outlives the drivers on it.
type unclosed struct{ storagedriver.Backend }

func (unclosed) Close() error { return nil }
