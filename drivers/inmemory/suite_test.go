package inmemory_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

func TestSuite(t *testing.T) {
	backend := inmemory.New()
	testsuites.RegisterInProcessSuite(t, func(testsuites.T) storagedriver.StorageDriver {
		return layers.Complete(backend)
	}, testsuites.Configure(func(h *testsuites.Harness) {
		h.NewWithBudget = func(_ testsuites.T, bytes int64) storagedriver.StorageDriver {
			return layers.Complete(backend, layers.WithBudget(chunked.NewBudget(bytes)))
		}
	}))
}
