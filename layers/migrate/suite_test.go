package migrate_test

import (
	"context"
	"hash/fnv"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/migrate"
	"github.com/berth-dev/storagedriver/testsuites"
)

// open opens one of the stores, each time anew.
type open func(t fataler) storagedriver.Backend

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// stores are what can be old and new.
var stores = map[string]func(t *testing.T) open{
	"parts": func(t *testing.T) open {
		inner := onDisk(t)
		return func(t fataler) storagedriver.Backend { return uncontinued{inner(t)} }
	},
	"filesystem": onDisk,
	"inmemory": func(*testing.T) open {
		d := inmemory.New()
		return func(fataler) storagedriver.Backend { return d }
	},
}

func onDisk(t *testing.T) open {
	root := t.TempDir()
	return func(t fataler) storagedriver.Backend {
		t.Helper()
		b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
		if err != nil {
			t.Fatalf("filesystem: %v", err)
		}
		return b
	}
}

// uncontinued is a backend that does not continue committed content, as an object store.
type uncontinued struct{ storagedriver.Backend }

func (b uncontinued) Capabilities() storagedriver.Capabilities {
	c := b.Backend.Capabilities()
	c.Abilities &^= storagedriver.AbilityAppendCommitted
	return c
}

func (b uncontinued) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	u, err := b.Backend.OpenUpload(ctx, path, append)
	if err != nil || !u.Resumed {
		return u, err
	}
	if _, err := b.Stat(ctx, path+"~"); err == nil {
		return u, nil // an upload
	}
	return u, storagedriver.NewError(storagedriver.KindUnsupported, "there is committed content")
}

// TestSuite runs the conformance suite at the moments of a migration: of nothing; with what is stored spread over both sides; with a copier at work
// on that; when it is over.
func TestSuite(t *testing.T) {
	t.Parallel()
	pairs := map[[2]string][]string{
		{"filesystem", "filesystem"}: {"copying", "over"},
		{"parts", "inmemory"}:        {"spread"},
		{"inmemory", "parts"}:        {"spread"},
	}
	if os.Getenv("BERTH_LONG") != "" {
		pairs[[2]string{"filesystem", "filesystem"}] = []string{"fresh", "copying", "over"}
		pairs[[2]string{"inmemory", "inmemory"}] = []string{"copying"}
	}
	for pair, moments := range pairs {
		for _, name := range moments {
			moment := spreadOver
			if name == "fresh" || name == "over" {
				moment = nil
			}
			t.Run(pair[0]+" to "+pair[1]+" "+name, func(t *testing.T) {
				t.Parallel()
				old, new := stores[pair[0]](t), stores[pair[1]](t)
				if name == "over" {
					end(t, old, new)
				}
				opened := func(t testsuites.T, copies bool, gate ...layers.Option) storagedriver.StorageDriver {
					o, n := old(t), new(t)
					d, err := migrate.Open(t.Context(), migrate.Quick(migrate.Config{Old: o, New: n, Copy: copies && name == "copying", Gate: gate}, time.Second))
					if err != nil {
						t.Fatalf("Open: %v", err)
					}
					if moment == nil {
						return d
					}
					return moment(d, o)
				}
				var second atomic.Bool
				testsuites.RegisterSuite(t, testsuites.Harness{
					New: func(t testsuites.T) storagedriver.StorageDriver {
						return opened(t, !second.Swap(true))
					},
					NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
						return opened(t, false, layers.WithBudget(chunked.NewBudget(bytes)))
					},
					Parallel: 4,
				})
			})
		}
	}
}

// end begins a migration of nothing, and finishes it.
func end(t *testing.T, old, new open) {
	t.Helper()
	d, err := migrate.Open(t.Context(), migrate.Quick(migrate.Config{Old: old(t), New: new(t)}, 500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Copy(t.Context(), migrate.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// spread is a driver on which half of what is stored, and of the uploads that are begun, is on old, as if it had been there before.
type spread struct {
	storagedriver.StorageDriver
	gate    storagedriver.StorageDriver // over old
	putting sync.Mutex                  // what is brought back to old is there twice for a moment

	opening sync.Mutex // guards the following
	writers map[string]writersTo
}

func spreadOver(d storagedriver.StorageDriver, old storagedriver.Backend) storagedriver.StorageDriver {
	return &spread{StorageDriver: d, gate: layers.Complete(named{old})}
}

// named has errors name the driver that the suite knows.
type named struct{ storagedriver.Backend }

func (named) Name() string { return migrate.Name }

func toOld(path string) bool {
	h := fnv.New32()
	_, _ = h.Write([]byte(path))
	return h.Sum32()%2 == 0
}

// PutContent stores some of what is new at its path on old: a path that has been anywhere is the driver's.
func (s *spread) PutContent(ctx context.Context, path string, content []byte) error {
	s.putting.Lock()
	if toOld(path) && storagedriver.ValidatePath(path) == nil && ctx.Err() == nil && s.fresh(ctx, path) {
		err := s.gate.PutContent(ctx, path, content)
		s.putting.Unlock()
		return err
	}
	s.putting.Unlock()
	return s.StorageDriver.PutContent(ctx, path, content)
}

// fresh reports whether nothing is at path, nor anything but directories above it.
func (s *spread) fresh(ctx context.Context, path string) bool {
	if _, err := s.StorageDriver.Stat(ctx, path); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		return false
	}
	for above, _ := storagedriver.ParentPath(path); above != "/"; above, _ = storagedriver.ParentPath(above) {
		if info, err := s.StorageDriver.Stat(ctx, above); err == nil && !info.IsDir() {
			return false
		}
	}
	return true
}

// Writer begins some uploads on old: those that are the only ones to their path, for of two beside each other only one can be from before the migration.
func (s *spread) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	now := s.writers[path]
	d := s.StorageDriver.(*migrate.Driver)
	onOld := now.all == 0 && toOld(path+"~") && storagedriver.ValidatePath(path) == nil && !append && ctx.Err() == nil && s.fresh(ctx, path)
	var w storagedriver.FileWriter
	var err error
	if onOld {
		w, err = d.BeginOnOld(ctx, path)
	} else {
		w, err = d.Writer(ctx, path, append)
		if err == nil && append && w.Size() == 0 && now.old > 0 {
			onOld = true
			if err = w.Close(); err == nil {
				w, err = d.ResumeOnOld(ctx, path)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	s.count(path, onOld, 1)
	return &counted{FileWriter: w, over: sync.OnceFunc(func() {
		s.opening.Lock()
		defer s.opening.Unlock()
		s.count(path, onOld, -1)
	})}, nil
}

// writersTo are the writers of a path that are open: all, and those on old.
type writersTo struct{ all, old int }

func (s *spread) count(path string, onOld bool, n int) {
	if s.writers == nil {
		s.writers = map[string]writersTo{}
	}
	now := s.writers[path]
	now.all += n
	if onOld {
		now.old += n
	}
	s.writers[path] = now
}

// counted is a writer that is counted until it is over.
type counted struct {
	storagedriver.FileWriter
	over func()
}

func (w *counted) Close() error {
	defer w.over()
	return w.FileWriter.Close()
}

func (w *counted) Cancel(ctx context.Context) error {
	defer w.over()
	return w.FileWriter.Cancel(ctx)
}

func (w *counted) Commit(ctx context.Context) error {
	err := w.FileWriter.Commit(ctx)
	if err == nil {
		w.over()
	}
	return err
}
