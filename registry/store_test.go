package registry_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// distribution's handlers leave one event broadcaster behind each.
		goleak.IgnoreTopFunction("github.com/docker/go-events.(*Broadcaster).run"),
		// Its middleware cloudfront asks for the networks of AWS for ever.
		goleak.IgnoreAnyFunction("github.com/distribution/distribution/v3/registry/storage/driver/middleware/cloudfront.(*awsIPs).updater"),
		// And one idle queue for each endpoint of notifications: what would close both is a field
		// of App that nothing exported reaches.
		goleak.IgnoreAnyFunction("github.com/distribution/distribution/v3/notifications.(*eventQueue).next"))
}

// newStore returns an empty store in memory.
func newStore(t *testing.T) storagedriver.StorageDriver {
	t.Helper()
	return layers.Complete(inmemory.New())
}

// openFiles returns the store in the files below root.
func openFiles(t *testing.T, root string) storagedriver.StorageDriver {
	t.Helper()
	b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": root})
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// onEachStore runs test on an empty store of each kind.
func onEachStore(t *testing.T, test func(t *testing.T, store storagedriver.StorageDriver)) {
	t.Run("inmemory", func(t *testing.T) { test(t, newStore(t)) })
	t.Run("filesystem", func(t *testing.T) { test(t, openFiles(t, t.TempDir())) })
}

// expectNoUploads fails when anything of an upload is left.
func expectNoUploads(t *testing.T, store storagedriver.StorageDriver, repository string) {
	t.Helper()
	root := "/docker/registry/v2/repositories/" + repository + "/_uploads"
	var left []string
	err := store.Walk(t.Context(), root, func(info storagedriver.FileInfo) error {
		left = append(left, info.Path())
		return nil
	})
	if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left of uploads: %q", left)
	}
}
