package filesystem_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/killloop"
)

// driver is the whole driver, with parts that are many and quick.
func driver(ctx context.Context, root string, fsync filesystem.Fsync) (storagedriver.StorageDriver, error) {
	b, err := filesystem.New(ctx, filesystem.Config{RootDirectory: root, Fsync: fsync})
	if err != nil {
		return nil, err
	}
	return layers.Complete(b, layers.WithPartSize(killloop.PartSize), layers.WithBudget(chunked.NewBudget(1<<20))), nil
}

// loopChild is what such a child does until it is killed.
func loopChild(root string, fsync filesystem.Fsync) error {
	ctx := context.Background()
	d, err := driver(ctx, root, fsync)
	if err != nil {
		return err
	}
	return killloop.Child(ctx, d, os.Stdin, os.Stdout)
}

// TestKilledProcesses kills processes at random moments of their uploads: 50 with and 50 without fsync or, with BERTH_LONG=1,
// 1,500 each.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	kills := 50
	if os.Getenv("BERTH_LONG") != "" {
		kills = 1500
	}
	for seed, fsync := range []filesystem.Fsync{filesystem.FsyncFull, filesystem.FsyncOff} {
		t.Run("fsync "+string(fsync), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			report, err := killloop.Run(t.Context(), killloop.Options{
				Seed: uint64(seed) + 1, Kills: kills,
				Command: func(ctx context.Context, _ int) *exec.Cmd {
					return childCommand(ctx, t, "loop", root, string(fsync))
				},
				Open: func(ctx context.Context) (storagedriver.StorageDriver, error) {
					return driver(ctx, root, filesystem.FsyncOff) // what looks at it afterwards is not killed
				},
				Private: func(context.Context) (int, error) { return countPrivate(root) },
				Log:     t.Logf,
			})
			if err != nil {
				t.Error(err)
			}
			t.Log(report)
		})
	}
}

func countPrivate(root string) (n int, err error) {
	err = filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && storagedriver.IsPrivate(e.Name()) {
			n++
		}
		return err
	})
	return n, err
}
