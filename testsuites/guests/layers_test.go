package guests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// tight is less than any driver would like to have.
var tight = runtime.Config{MaxInstances: 4, MaxRequests: 2}

// stack opens guests on top of each other, the modes from the top, on memory, or after "parts" on the guest parts and its server. All writers
// share a budget.
func stack(t *testing.T, budget *chunked.Budget, partSize int64, modes ...string) storagedriver.StorageDriver {
	t.Helper()
	path := guestbuild.Path(t, "layer")
	options := []layers.Option{layers.WithPartSize(partSize), layers.WithBudget(budget)}
	var b storagedriver.Backend = inmemory.New()
	if last := len(modes) - 1; modes[last] == "parts" {
		s := startStore(t)
		cfg := tight
		cfg.Allow, cfg.CacheDir, cfg.Logger = egress.Origins(s.url), cacheDir, slog.New(slog.DiscardHandler)
		m, err := runtime.Load(t.Context(), guestbuild.Path(t, "parts"), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Errorf("Close of the module: %v", err)
			}
		})
		if b, err = m.Open(t.Context(), s.parameters()); err != nil {
			t.Fatal(err)
		}
		modes = modes[:last]
	}
	d := layers.Complete(b, options...)
	for i := len(modes) - 1; i >= 0; i-- {
		var err error
		d, err = layerOn(t.Context(), path, d, modes[i], tight, options...)
		if err != nil {
			t.Fatalf("open layer %d: %v", i, err)
		}
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// TestLayersDoNotWaitForEachOther has 64 callers do everything at once on three layers, with less memory and fewer instances than they
// would like. Whoever waits for somebody who waits for them does so until the deadline.
func TestLayersDoNotWaitForEachOther(t *testing.T) {
	const callers = 64
	for name, c := range map[string]struct {
		partSize, budget, size int64
		modes                  []string
	}{
		"delegated":     {256 << 10, 8 << 20, 2<<20 + 7, []string{"delegate", "delegate", "delegate"}},
		"one buffer":    {256 << 10, 256 << 10, 1<<20 + 7, []string{"delegate", "delegate", "delegate"}},
		"derived":       {256 << 10, 8 << 20, 2<<20 + 7, []string{"derived", "derived", "derived"}},
		"derived above": {256 << 10, 1 << 20, 1<<20 + 7, []string{"derived", "delegate", "derived"}},
		"on a server":   {256 << 10, 1 << 20, 1<<20 + 7, []string{"delegate", "derived", "parts"}},
		"long pieces":   {5 << 20, 5 << 20, 5<<20 + 7, []string{"derived", "delegate", "derived"}},
	} {
		if underRace && !slices.Contains([]string{"one buffer", "on a server", "long pieces"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			budget := chunked.NewBudget(c.budget)
			d := stack(t, budget, c.partSize, c.modes...)
			content := pattern(int(c.size) + callers)
			var group sync.WaitGroup
			for i := range callers {
				group.Go(func() {
					if err := useAll(ctx, d, fmt.Sprintf("/caller-%d", i), content[i:int(c.size)+i]); err != nil {
						t.Errorf("caller %d: %v", i, err)
						cancel()
					}
				})
			}
			group.Wait()
			if n := budget.InUse(); n != 0 {
				t.Errorf("want nothing of the budget in use, got %d bytes", n)
			}
			if names, err := d.List(t.Context(), "/"); err == nil && len(names) > 0 {
				t.Errorf("want nothing left, got %q", names)
			}
		})
	}
}

// useAll uploads content below dir in two sessions, and does with it all that a driver does.
func useAll(ctx context.Context, d storagedriver.StorageDriver, dir string, content []byte) error {
	path := dir + "/blobs/data"
	for _, until := range []int{len(content) / 3, len(content)} {
		w, err := d.Writer(ctx, path, until == len(content))
		if err != nil {
			return fmt.Errorf("Writer: %w", err)
		}
		for at := int(w.Size()); at < until && err == nil; at = int(w.Size()) {
			_, err = w.Write(content[at:min(at+100_000, until)])
		}
		if err == nil && until == len(content) {
			err = w.Commit(ctx)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("the upload to %d of %d: %w", w.Size(), len(content), err)
		}
	}
	link := content[:1000]
	if err := d.PutContent(ctx, dir+"/links/current", link); err != nil {
		return err
	}
	if got, err := d.GetContent(ctx, dir+"/links/current"); err != nil || !bytes.Equal(got, link) {
		return fmt.Errorf("GetContent: %d bytes, %w", len(got), err)
	}
	seen := 0
	if err := d.Walk(ctx, dir, func(storagedriver.FileInfo) error { seen++; return nil }); err != nil || seen != 4 {
		return fmt.Errorf("Walk: %d entries, %w", seen, err)
	}
	if err := d.Move(ctx, path, dir+"/moved"); err != nil {
		return err
	}
	r, err := d.Reader(ctx, dir+"/moved", 10)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, content[10:]) {
		return fmt.Errorf("Reader: %d of %d bytes, %w", len(got), len(content)-10, err)
	}
	return d.Delete(ctx, dir)
}

// wantError wants an error of the kind that has all the texts.
func wantError(t *testing.T, err error, kind storagedriver.Kind, texts ...string) {
	t.Helper()
	if err == nil || storagedriver.KindOf(err) != kind {
		t.Fatalf("want an error of kind %q, got %v", kind, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

func TestLayersAreAtMostEightDeep(t *testing.T) {
	budget := chunked.NewBudget(4 * partSize)
	modes := slices.Repeat([]string{"delegate"}, abi.MaxStoreDepth+1)
	ctx := t.Context()
	d := stack(t, budget, partSize, modes[1:]...)
	if err := useAll(ctx, d, "/dir", pattern(3*partSize)); err != nil {
		t.Errorf("%d deep: %v", abi.MaxStoreDepth, err)
	}
	d = stack(t, budget, partSize, modes...)
	_, err := d.Stat(ctx, "/dir")
	wantError(t, err, storagedriver.KindLimit, "stores are at most 8 drivers deep: layer (its store under) > layer (its store under) >")
	_, err = d.Writer(ctx, "/dir/file", false)
	wantError(t, err, storagedriver.KindLimit, "at most 8 drivers deep")
}

// late is a driver that is named before it is there, which is how a circle comes about.
type late struct{ storagedriver.StorageDriver }

func (l *late) Close() error { return nil }

func TestLayersThatGoInACircleAreDenied(t *testing.T) {
	path := guestbuild.Path(t, "layer")
	for name, drivers := range map[string]int{"itself": 1, "two": 2, "three": 3} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			end := &late{layers.Complete(inmemory.New())}
			var d storagedriver.StorageDriver = end
			for range drivers {
				var err error
				if d, err = layerOn(ctx, path, d, "delegate", runtime.Config{}); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() {
				if err := d.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			w, err := d.Writer(ctx, "/upload", false) // begun before there is a circle
			if err != nil {
				t.Fatal(err)
			}
			write(t, w, []byte("content"))
			end.StorageDriver = d
			chain := strings.Repeat("layer (its store under) > ", drivers) + "layer: grant one of them another store"
			_, err = d.Stat(ctx, "/file")
			wantError(t, err, storagedriver.KindDenied, "the granted stores go in a circle: "+chain)
			wantError(t, d.PutContent(ctx, "/file", []byte("x")), storagedriver.KindDenied, chain)
			_, err = d.List(ctx, "/")
			wantError(t, err, storagedriver.KindDenied, chain)
			_, err = d.Reader(ctx, "/file", 0)
			wantError(t, err, storagedriver.KindDenied, chain)
			_, err = d.Writer(ctx, "/file", false)
			wantError(t, err, storagedriver.KindDenied, chain)
			if err := w.Cancel(ctx); err != nil { // the Writer below it is open already
				t.Errorf("Cancel: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("Close of the writer: %v", err)
			}
		})
	}
}

// TestADriverMayBeReachedByTwoWays is no circle: two drivers on one.
func TestADriverMayBeReachedByTwoWays(t *testing.T) {
	path := guestbuild.Path(t, "layer")
	ctx := t.Context()
	shared := stack(t, chunked.NewBudget(4*partSize), partSize, "derived")
	for i := range 2 {
		d, err := layerOn(ctx, path, &late{shared}, "delegate", runtime.Config{}, layers.WithPartSize(partSize))
		if err != nil {
			t.Fatal(err)
		}
		if err := useAll(ctx, d, fmt.Sprintf("/dir-%d", i), pattern(3*partSize)); err != nil {
			t.Errorf("way %d: %v", i, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
