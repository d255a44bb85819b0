package modelrapid_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
	"go.uber.org/goleak"
)

const partSize = 4 << 10

func TestMain(m *testing.M) {
	flag.Parse()
	// What is found is written as a script; rapid's own file would be one in this folder beside it.
	_ = flag.Set("rapid.nofailfile", "true")
	_ = flag.Set("rapid.shrinktime", "2s") // Search shrinks further
	goleak.VerifyTestMain(m)
}

// complete gives each process a budget of its own, as processes have.
func complete(partSize int64) func(storagedriver.Backend) storagedriver.StorageDriver {
	return func(b storagedriver.Backend) storagedriver.StorageDriver {
		return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64*partSize)))
	}
}

// sharing opens processes on one backend that outlives them, and of which nothing is to be left.
func sharing(b storagedriver.Backend) model.Harness {
	return model.Harness{
		Open: func(_ context.Context, partSize int64) (model.Process, error) {
			return model.NewProcess(b, complete(partSize)), nil
		},
		Left: func() error {
			page, err := b.List(context.Background(), "/", "", 1000)
			if err == nil && len(page.Entries) > 0 {
				err = fmt.Errorf("the backend lists %v", page.Entries)
			}
			return err
		},
	}
}

func TestInmemory(t *testing.T) {
	modelrapid.Check(t, modelrapid.Options{
		Driver: "inmemory", PartSize: partSize,
		Open: func(modelrapid.TB) model.Harness { return sharing(inmemory.New()) },
	})
}

func TestFilesystem(t *testing.T) {
	root := t.TempDir()
	modelrapid.Check(t, modelrapid.Options{
		Driver: "filesystem", Command: "berth driver test filesystem --param rootdirectory=/tmp/empty --script FILE", PartSize: partSize,
		Open: func(tb modelrapid.TB) model.Harness {
			dir, err := os.MkdirTemp(root, "")
			if err != nil {
				tb.Fatalf("%v", err)
			}
			return model.Harness{
				Open: func(ctx context.Context, partSize int64) (model.Process, error) {
					b, err := filesystem.Open(ctx, map[string]any{"rootdirectory": dir})
					if err != nil {
						return model.Process{}, err
					}
					return model.NewProcess(b, complete(partSize)), nil
				},
				Left: func() error { return noFiles(dir) },
			}
		},
	})
}

// noFiles returns an error if there is a file below dir.
func noFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = fmt.Errorf("the file %s is left", path)
		}
		return err
	})
}
