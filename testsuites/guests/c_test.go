//go:build servers

package guests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// lasting is a backend that outlives the drivers over it: what c-memory stores is gone with its instance.
type lasting struct{ storagedriver.Backend }

func (lasting) Close() error { return nil }

func loadCMemory(t *testing.T) *runtime.Module {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "c-memory"), runtime.Config{
		CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript("c-memory"),
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

func cMemory(t *testing.T, parameters map[string]any) (storagedriver.Backend, *runtime.Module) {
	t.Helper()
	m := loadCMemory(t)
	b, err := m.Open(t.Context(), parameters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close of the driver: %v", err)
		}
	})
	return lasting{b}, m
}

// TestCMemoryModel performs scripts, each on an instance of its own, which outlives the processes of the script.
func TestCMemoryModel(t *testing.T) {
	m := loadCMemory(t)
	modelrapid.Check(t, modelrapid.Options{
		PartSize: modelPart, Command: "berth driver test build/guests/c-memory.wasm --script FILE",
		Open: func(tb modelrapid.TB) model.Harness {
			b, err := m.Open(t.Context(), map[string]any{})
			if err != nil {
				tb.Fatalf("open: %v", err)
			}
			closed := sync.OnceValue(b.Close)
			t.Cleanup(func() { _ = closed() }) // of a script that failed, which says enough
			return model.Harness{
				Open: func(_ context.Context, partSize int64) (model.Process, error) {
					return asProcess(lasting{b}, partSize), nil
				},
				Left: func() error {
					page, err := b.List(t.Context(), "/", "", 10)
					if err == nil && len(page.Entries) > 0 {
						err = fmt.Errorf("the driver has %+v", page.Entries)
					}
					return errors.Join(err, closed())
				},
			}
		},
	})
}

// TestCMemoryConforms runs the suite on the driver in C. Every driver is another gate over the one instance, which has all that is stored.
func TestCMemoryConforms(t *testing.T) {
	t.Parallel()
	b, m := cMemory(t, map[string]any{})
	t.Cleanup(func() {
		if stats := m.Stats(); stats.Instances != 1 {
			t.Errorf("want the one instance that was opened, got %+v", stats)
		}
	})
	loader := func(context.Context, string, map[string]any) (storagedriver.StorageDriver, error) {
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	budget := testsuites.Configure(func(h *testsuites.Harness) {
		h.NewWithBudget = func(_ testsuites.T, bytes int64) storagedriver.StorageDriver {
			return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(bytes)))
		}
	})
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "c-memory"), map[string]any{}, loader, smallParts, transcribed("c-memory"), budget)
}
