//go:build servers

package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/ipc"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

func TestSuite(t *testing.T) {
	path, err := filepath.Abs("registry-storage-sqlite")
	if err != nil {
		t.Fatal(err)
	}
	parameters := map[string]any{"database": filepath.Join(t.TempDir(), "x.db")}
	load := func(ctx context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		return ipc.New(ctx, path, parameters, ipc.Config{})
	}
	testsuites.RegisterIPCSuite(t, path, parameters, load, testsuites.CheckLeaks(), testsuites.Configure(func(h *testsuites.Harness) {
		h.Parallel = 4
		h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			t.Helper()
			d, err := ipc.New(t.Context(), path, parameters, ipc.Config{}, layers.WithBudget(chunked.NewBudget(bytes)))
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			return d
		}
	}))
}
