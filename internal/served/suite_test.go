package served

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// servedPart is the size of parts on both sides: small, so that uploads have several.
const servedPart = 64 << 10

// doubled is two gates, one above the other, with a Backend of the lower between them.
func doubled(b storagedriver.Backend, partSize, budget int64) storagedriver.StorageDriver {
	inner := layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(budget)))
	return layers.Complete(New(inner), layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(budget)))
}

func suiteOf(open func(t testsuites.T) storagedriver.Backend) testsuites.Harness {
	return testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver { return doubled(open(t), servedPart, 64*servedPart) },
		NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			return doubled(open(t), servedPart, bytes)
		},
		PartSize: servedPart,
		Parallel: 4,
	}
}

// keptBackend outlives the drivers on it.
type keptBackend struct{ storagedriver.Backend }

func (keptBackend) Close() error { return nil }

// timed has the times in tree listings that a Memory leaves out there.
type timed struct{ storagedriver.Backend }

func (b timed) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	page, err := b.Backend.ListTree(ctx, path, startAfter, cursor, limit)
	for i := range page.Entries {
		page.Entries[i].ModTime = time.Unix(1, 0)
	}
	return page, err
}

func TestSuiteOnInmemory(t *testing.T) {
	memory := keptBackend{inmemory.New()}
	testsuites.RegisterSuite(t, suiteOf(func(testsuites.T) storagedriver.Backend { return memory }), testsuites.CheckLeaks())
}

func TestSuiteOnFilesystem(t *testing.T) {
	root := t.TempDir()
	testsuites.RegisterSuite(t, suiteOf(func(t testsuites.T) storagedriver.Backend {
		b, err := filesystem.Open(context.Background(), map[string]any{"rootdirectory": root, "fsync": "off"})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return b
	}), testsuites.CheckLeaks())
}

// various are backends in memory that differ in what a gate derives for them.
func various() map[string]*chunkedtest.Memory {
	const (
		copies     = storagedriver.AbilityCopy
		moves      = storagedriver.AbilityMove
		moveTrees  = storagedriver.AbilityMoveTree
		concat     = storagedriver.AbilityConcat
		parts      = storagedriver.AbilityParts
		listTrees  = storagedriver.AbilityListTree
		deleteTree = storagedriver.AbilityDeleteTree
		unsorted   = storagedriver.AbilityUnsorted
		appends    = storagedriver.AbilityAppendCommitted
		nested     = storagedriver.AbilityFilesUnderFiles
		certain    = storagedriver.AbilityConditional
	)
	return map[string]*chunkedtest.Memory{
		"nothing":       {Page: 100},
		"unsorted":      {Can: unsorted, Page: 100},
		"nested":        {Can: nested | moves | concat, Page: 100},
		"parts-like-s3": {Can: parts | listTrees | copies | nested | certain | deleteTree, Limits: storagedriver.PartLimits{Min: 1 << 10, Multiple: 512}, Page: 100},
		"parts-append":  {Can: parts | appends | certain | moveTrees, Limits: storagedriver.PartLimits{Sequential: true}, Page: 100},
		"small-objects": {Can: concat, MaxObject: servedPart, Page: 100},
	}
}

func TestSuiteOnVariousAbilities(t *testing.T) {
	for name, memory := range various() {
		if !memory.Can.Has(storagedriver.AbilityFilesUnderFiles) && !memory.Can.Has(storagedriver.AbilityAppendCommitted) {
			continue // inmemory and filesystem stand for those that change nothing of what the cases want
		}
		t.Run(name, func(t *testing.T) {
			testsuites.RegisterSuite(t, suiteOf(func(testsuites.T) storagedriver.Backend { return keptBackend{timed{memory}} }), testsuites.CheckLeaks())
			for _, breach := range memory.Breaches() {
				t.Errorf("breach: %s", breach)
			}
		})
	}
}

const modelPart = 4 << 10

// nothingLeft wants b to hold nothing.
func nothingLeft(b storagedriver.Backend) func() error {
	return func() error {
		page, err := b.List(context.Background(), "/", "", 1000)
		if err == nil && len(page.Entries) > 0 {
			err = fmt.Errorf("the backend lists %v", page.Entries)
		}
		return err
	}
}

// dying has the driver's process die, and the host's with it.
func dying(b storagedriver.Backend) model.Harness {
	return model.Harness{
		Open: func(_ context.Context, partSize int64) (model.Process, error) {
			return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver { return doubled(b, partSize, 64*partSize) }), nil
		},
		Left: nothingLeft(b),
	}
}

// abandoned has the host's process die. The driver's then ends in order.
func abandoned(b storagedriver.Backend) model.Harness {
	return model.Harness{
		Open: func(_ context.Context, partSize int64) (model.Process, error) {
			options := []layers.Option{layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64 * partSize))}
			s := newBackend(layers.Complete(keptBackend{b}, options...))
			p := model.NewProcess(s, func(b storagedriver.Backend) storagedriver.StorageDriver {
				return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64*partSize)))
			})
			kill := p.Kill
			p.Kill = func() {
				kill()
				_ = s.uploads.close() // a writer that was overtaken says so
			}
			return p, nil
		},
		Left: nothingLeft(b),
	}
}

func TestModel(t *testing.T) {
	_ = flag.Set("rapid.nofailfile", "true") // what is found is written as a script
	for name, harness := range map[string]func(b storagedriver.Backend) model.Harness{"dying": dying, "abandoned": abandoned} {
		backends := map[string]func() storagedriver.Backend{"inmemory": func() storagedriver.Backend { return inmemory.New() }}
		for name, m := range various() {
			backends[name] = func() storagedriver.Backend {
				return &chunkedtest.Memory{Can: m.Can, MaxObject: min(m.MaxObject, modelPart), Limits: m.Limits, Page: m.Page}
			}
		}
		for on, open := range backends {
			t.Run(name+"/"+on, func(t *testing.T) {
				modelrapid.Check(t, modelrapid.Options{
					Driver: "served", PartSize: modelPart, Time: 400 * time.Millisecond, Open: func(modelrapid.TB) model.Harness { return harness(open()) },
				})
			})
		}
	}
}

// TestFaults has single calls of the driver's storage fail, of the backend in between, and looks whether anything is lost.
func TestFaults(t *testing.T) {
	report := faultloop.Run(t.Context(), faultloop.Harness{
		Name: "served",
		New: func(context.Context) (faultloop.Storage, error) {
			inner := layers.Complete(inmemory.New(), layers.WithPartSize(64), layers.WithBudget(chunked.NewBudget(64*64)))
			served := New(inner)
			return faultloop.Storage{
				Open:  func(context.Context) (storagedriver.Backend, error) { return keptBackend{served}, nil },
				Close: func() { _ = served.Close() }, // what was overtaken says so
			}, nil
		},
	})
	t.Logf("\n%s", report)
	failures := report.Failures()
	slices.Sort(failures)
	for _, f := range failures {
		t.Error(f)
	}
	if _, faults := report.Totals(); faults < 500 {
		t.Errorf("only %d runs had a failure, want at least 500", faults)
	}
}
