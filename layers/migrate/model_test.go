package migrate_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/migrate"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// TestModel runs random scripts of several processes on two stores in memory, over which everything is spread, with a copier in each
// process: the first of them works.
func TestModel(t *testing.T) {
	for _, copies := range []bool{false, true} {
		t.Run(fmt.Sprint("copy ", copies), func(t *testing.T) {
			modelrapid.Check(t, modelrapid.Options{
				Driver: migrate.Name, PartSize: 4 << 10, Time: 5 * time.Second,
				Open: func(modelrapid.TB) model.Harness { return scripted(copies) },
			})
		})
	}
}

// scripted is what a script is performed on: two stores in memory, and a copier in each process if it copies.
func scripted(copies bool) model.Harness {
	old, new := inmemory.New(), inmemory.New()
	return model.Harness{
		Open: func(ctx context.Context, partSize int64) (model.Process, error) {
			var failed error
			p := model.NewProcess(new, func(b storagedriver.Backend) storagedriver.StorageDriver {
				gate := []layers.Option{layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64 * partSize))}
				d, err := migrate.Open(context.WithoutCancel(ctx), migrate.Quick(migrate.Config{Old: tied{old, b}, New: b, Copy: copies, Gate: gate}, time.Second))
				failed = err
				return spreadOver(d, tied{old, b})
			})
			return p, failed
		},
		Left: func() error { return noneLeft(old, new) },
	}
}

// TestAPutThatEndsInTheMiddleLeavesOneOfEachName ends a put at each of its calls: of an unfinished upload below its path there may be a directory left on old.
func TestAPutThatEndsInTheMiddleLeavesOneOfEachName(t *testing.T) {
	for call := 1; call <= 16; call++ {
		script, err := model.Parse(fmt.Sprintf("part-size 4096\nwriter w1 /a/b\nwrite w1 1 seed=2\nclose w1\ncrash-in %d\nput /a 0 seed=5\n", call))
		if err != nil {
			t.Fatal(err)
		}
		if err := model.Run(t.Context(), scripted(false), script, func(int, model.Op) {}); err != nil {
			t.Errorf("at call %d: %v", call, err)
		}
	}
}

// TestACommitOnOldEndsUploadsBelowOnNew commits on old where new has a directory of nothing but an upload: each of some names is begun on one side or the other.
func TestACommitOnOldEndsUploadsBelowOnNew(t *testing.T) {
	olds := 0
	for _, path := range []string{"/a", "/b", "/c", "/d", "/e", "/f"} {
		for crash := range 8 {
			text := fmt.Sprintf("part-size 4096\nwriter w1 %s\nwriter w2 %s/g append\nwrite w2 1 seed=3\nclose w2\n", path, path)
			if crash > 0 {
				text += fmt.Sprintf("crash-in %d\n", crash)
			}
			script, err := model.Parse(text + "commit w1\n")
			if err != nil {
				t.Fatal(err)
			}
			if toOld(path + "~") {
				olds++
			}
			if err := model.Run(t.Context(), scripted(false), script, func(int, model.Op) {}); err != nil {
				t.Errorf("%s, at call %d: %v", path, crash, err)
			}
		}
	}
	if olds == 0 {
		t.Error("no upload began on old")
	}
}

// tied is a store that dies with another one: each of its calls is one of the other's, too.
type tied struct {
	storagedriver.Backend
	to storagedriver.Backend
}

func (b tied) alive() error {
	_, err := b.to.Stat(context.Background(), "/")
	return err
}

func (b tied) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if err := b.alive(); err != nil {
		return storagedriver.Entry{}, err
	}
	return b.Backend.Stat(ctx, path)
}

func (b tied) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if err := b.alive(); err != nil {
		return storagedriver.Page{}, err
	}
	return b.Backend.List(ctx, path, cursor, limit)
}

func (b tied) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if err := b.alive(); err != nil {
		return nil, 0, err
	}
	return b.Backend.Read(ctx, path, offset, length)
}

func (b tied) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.Put(ctx, path, body)
}

func (b tied) Delete(ctx context.Context, path string) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.Delete(ctx, path)
}

func (b tied) DeleteTree(ctx context.Context, path string) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.DeleteTree(ctx, path)
}

func (b tied) Move(ctx context.Context, source, dest string) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.Move(ctx, source, dest)
}

func (b tied) Copy(ctx context.Context, source, dest string) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.Copy(ctx, source, dest)
}

func (b tied) Concat(ctx context.Context, dest string, sources []string) error {
	if err := b.alive(); err != nil {
		return err
	}
	return b.Backend.Concat(ctx, dest, sources)
}

// noneLeft returns an error if a store has anything but the state of the migration.
func noneLeft(stores ...storagedriver.Backend) error {
	for _, b := range stores {
		page, err := b.List(context.Background(), "/", "", 10)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if e.Name != "~migrate" {
				return fmt.Errorf("%s is left", e.Name)
			}
		}
	}
	return nil
}
