package filesystem_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	open := func(t testsuites.T, options ...layers.Option) storagedriver.StorageDriver {
		f := factory.FromOpen(filesystem.Name, filesystem.Open, options...)
		d, err := f.Create(t.Context(), map[string]any{"rootdirectory": root, "maxthreads": "50", "fsync": "off"})
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		return d
	}
	testsuites.RegisterSuite(t, testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver { return open(t) },
		NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			return open(t, layers.WithBudget(chunked.NewBudget(bytes)))
		},
		Parallel: 4,
	})
}
