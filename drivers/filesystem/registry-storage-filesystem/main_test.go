package main_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/ipc"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// executable builds the command under test.
func executable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry-storage-filesystem")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestSuite(t *testing.T) {
	path := executable(t)
	parameters := map[string]any{"rootdirectory": t.TempDir(), "maxthreads": "50", "fsync": "off"}
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
