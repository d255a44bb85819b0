package testsuites_test

import (
	"context"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// over returns a Harness of drivers whose gate is over b, with small parts.
func over(b storagedriver.Backend) testsuites.Harness {
	open := func(options ...layers.Option) storagedriver.StorageDriver {
		return layers.Complete(b, append(options, layers.WithPartSize(partSize))...)
	}
	return testsuites.Harness{
		New: func(testsuites.T) storagedriver.StorageDriver { return open() },
		NewWithBudget: func(_ testsuites.T, bytes int64) storagedriver.StorageDriver {
			return open(layers.WithBudget(chunked.NewBudget(bytes)))
		},
		PartSize: partSize,
	}
}

func TestInmemoryPasses(t *testing.T) {
	testsuites.RegisterSuite(t, over(inmemory.New()), testsuites.CheckLeaks(), testsuites.Configure(func(h *testsuites.Harness) { h.Parallel = 4 }))
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
	testsuites.RegisterSuite(t, over(bare{whole: inmemory.New()}), testsuites.CheckLeaks())
}
