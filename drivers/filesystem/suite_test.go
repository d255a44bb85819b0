package filesystem_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites"
)

func TestSuite(t *testing.T) {
	root := t.TempDir()
	f := factory.FromOpen(filesystem.Name, filesystem.Open)
	testsuites.RegisterInProcessSuite(t, func(t testsuites.T) storagedriver.StorageDriver {
		d, err := f.Create(t.Context(), map[string]any{"rootdirectory": root, "maxthreads": "50"})
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		return d
	})
}
