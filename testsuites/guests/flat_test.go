//go:build servers

package guests

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// collected is how much of its memory a guest with a garbage collector may add after it has warmed up. A process that stands still for a second while the
// collector marks, as on a busy machine it does, makes the collector think that it had its share of the time: that cycle ends late, and once seal needs up to
// 4 MiB more than its 10.5, which it goes on with. 80,000 operations of which each left 100 bytes behind would add 7.6 MiB.
const collected = 0.5

// TestMemoryOfExamplesStaysFlat performs 100,000 operations on one instance of each example: the last 80,000 may not make its memory larger.
func TestMemoryOfExamplesStaysFlat(t *testing.T) {
	lent := func(t *testing.T) map[string]storagedriver.StorageDriver {
		under := layers.Complete(inmemory.New())
		t.Cleanup(func() { ok(t, under.Close(), "close the store") })
		return map[string]storagedriver.StorageDriver{"under": under}
	}
	for name, config := range map[string]func(t *testing.T) (runtime.Config, map[string]any){
		"go-memory":   func(*testing.T) (runtime.Config, map[string]any) { return runtime.Config{}, nil },
		"rust-memory": func(*testing.T) (runtime.Config, map[string]any) { return runtime.Config{}, nil },
		"c-memory":    func(*testing.T) (runtime.Config, map[string]any) { return runtime.Config{}, nil },
		"compress": func(t *testing.T) (runtime.Config, map[string]any) {
			return runtime.Config{Stores: lent(t)}, nil
		},
		"seal": func(t *testing.T) (runtime.Config, map[string]any) {
			key := sealKey(t)
			return runtime.Config{Stores: lent(t), Secrets: map[string]runtime.Secret{"identity": {Value: key.String(), Readable: true}}}, sealFor(key)
		},
		"worm": func(t *testing.T) (runtime.Config, map[string]any) {
			return runtime.Config{Stores: lent(t)}, map[string]any{"retention": "1ns"}
		},
		"webdav": func(t *testing.T) (runtime.Config, map[string]any) {
			s := davServer(t)
			return runtime.Config{Allow: egress.Origins(s.URL)}, davParameters(s)
		},
		"rust-s3": func(t *testing.T) (runtime.Config, map[string]any) {
			return configForS3(t, servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, parameters := config(t)
			config.CacheDir, config.Logger, config.MaxInstances = cacheDir, slog.New(slog.DiscardHandler), 1
			m, err := runtime.Load(t.Context(), guestbuild.Path(t, name), config)
			ok(t, err, "load")
			b, err := m.Open(t.Context(), parameters)
			ok(t, err, "open")
			t.Cleanup(func() { ok(t, b.Close(), "close the driver"); ok(t, m.Close(context.Background()), "close the module") })
			d := layers.Complete(b)
			const rounds, warm = 100_000 / 5, 20_000 / 5
			var before int64
			for i := range rounds {
				if i == warm {
					before = m.Stats().MappedBytes
				}
				fiveOperations(t, d, i)
			}
			after := m.Stats()
			most := before
			if name != "rust-memory" && name != "rust-s3" && name != "c-memory" {
				most += int64(float64(before) * collected)
			}
			if after.MappedBytes > most || after.Instances != 1 {
				t.Errorf("want one instance with at most %d KiB, as after %d operations or little more, got %d with %d KiB after %d", most>>10, warm*5, after.Instances, after.MappedBytes>>10, rounds*5)
			}
			t.Logf("%d KiB", after.MappedBytes>>10)
		})
	}
}

// fiveOperations are the ones of a round, on one of 64 files.
func fiveOperations(t *testing.T, d storagedriver.StorageDriver, round int) {
	t.Helper()
	dir := fmt.Sprintf("/a/%d", round%8)
	path := fmt.Sprintf("%s/%d", dir, round/8%8)
	content := make([]byte, 100+round%1000)
	ok(t, d.PutContent(t.Context(), path, content), "PutContent")
	info, err := d.Stat(t.Context(), path)
	ok(t, err, "Stat")
	got, err := d.GetContent(t.Context(), path)
	ok(t, err, "GetContent")
	if info.Size() != int64(len(content)) || len(got) != len(content) {
		t.Fatalf("want %d bytes, got %d and %d", len(content), info.Size(), len(got))
	}
	_, err = d.List(t.Context(), dir)
	ok(t, err, "List")
	if round%8 == 7 {
		ok(t, d.Delete(t.Context(), path), "Delete")
	} else {
		_, err := d.Stat(t.Context(), path+"-not-there")
		wantKind(t, err, storagedriver.KindNotFound, "Stat")
	}
}
