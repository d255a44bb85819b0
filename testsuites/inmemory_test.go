package testsuites_test

import (
	"context"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// onInmemory opens drivers on one store in memory.
func onInmemory() func(t testsuites.T) storagedriver.StorageDriver {
	store := inmemory.New()
	return func(testsuites.T) storagedriver.StorageDriver {
		return layers.Complete(store, layers.WithPartSize(partSize))
	}
}

func TestInmemoryPasses(t *testing.T) {
	testsuites.RegisterInProcessSuite(t, onInmemory(), testsuites.CheckLeaks(), testsuites.Configure(func(h *testsuites.Harness) {
		h.PartSize, h.Parallel = partSize, 4
	}))
}

// TestBrokenInmemoryFails is TestBrokenDriversFail with the gate and the writers that all drivers share.
func TestBrokenInmemoryFails(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			wantCaught(t, f, onInmemory())
		})
	}
}

// bare is a backend with the five functions that make a driver, and no other ability.
type bare struct {
	storagedriver.Unimplemented
	whole *inmemory.Driver
}

func (b bare) Name() string                             { return "bare" }
func (b bare) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (b bare) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return b.whole.Stat(ctx, path)
}

func (b bare) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return b.whole.List(ctx, path, cursor, limit)
}

func (b bare) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	return b.whole.Read(ctx, path, offset, length)
}

func (b bare) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return b.whole.Put(ctx, path, body)
}

func (b bare) Delete(ctx context.Context, path string) error { return b.whole.Delete(ctx, path) }

// TestFiveFunctionsPass runs the suite where the gate derives everything that can be derived.
func TestFiveFunctionsPass(t *testing.T) {
	store := inmemory.New()
	testsuites.RegisterInProcessSuite(t, func(testsuites.T) storagedriver.StorageDriver {
		return layers.Complete(bare{whole: store}, layers.WithPartSize(partSize))
	}, testsuites.CheckLeaks(), testsuites.Configure(func(h *testsuites.Harness) { h.PartSize = partSize }))
}
