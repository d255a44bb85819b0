package guests

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// keptBackend outlives the drivers on it.
type keptBackend struct{ storagedriver.Backend }

func (keptBackend) Close() error { return nil }

// layered is a driver on others of its kind. Closing it closes them and their modules.
type layered struct {
	storagedriver.StorageDriver
	below []io.Closer // what it stands on, the next first
}

func (l *layered) Close() error {
	err := l.StorageDriver.Close()
	for _, c := range l.below {
		err = errors.Join(err, c.Close())
	}
	return err
}

type moduleCloser struct{ *runtime.Module }

func (m moduleCloser) Close() error { return m.Module.Close(context.Background()) }

// layerOn opens the guest layer on d, which it owns from then on.
func layerOn(ctx context.Context, path string, d storagedriver.StorageDriver, mode string, cfg runtime.Config, options ...layers.Option) (storagedriver.StorageDriver, error) {
	cfg.CacheDir, cfg.Logger = cacheDir, slog.New(slog.DiscardHandler)
	if cfg.Record == nil {
		cfg.Record = transcript("layer")
	}
	cfg.Stores = map[string]storagedriver.StorageDriver{"under": d}
	m, err := runtime.Load(ctx, path, cfg)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	b, err := m.Open(ctx, map[string]any{"mode": mode})
	if err != nil {
		return nil, errors.Join(err, moduleCloser{m}.Close(), d.Close())
	}
	return &layered{layers.Complete(b, options...), []io.Closer{moduleCloser{m}, d}}, nil
}

// backends are what the layer is tried on; each call of one opens the same storage.
func backends(t *testing.T) map[string]func(ctx context.Context) (storagedriver.Backend, error) {
	memory, root := inmemory.New(), t.TempDir()
	return map[string]func(ctx context.Context) (storagedriver.Backend, error){
		"inmemory": func(context.Context) (storagedriver.Backend, error) { return keptBackend{memory}, nil },
		"filesystem": func(ctx context.Context) (storagedriver.Backend, error) {
			return filesystem.Open(ctx, map[string]any{"rootdirectory": root, "fsync": "off"})
		},
	}
}

func TestLayerGuestConforms(t *testing.T) {
	path := guestbuild.Path(t, "layer")
	for _, mode := range []string{"delegate", "derived"} {
		for name, open := range backends(t) {
			if underRace && (mode == "delegate") != (name == "filesystem") {
				continue
			}
			t.Run(mode+"/"+name, func(t *testing.T) {
				opened := func(ctx context.Context, mode string, options ...layers.Option) (storagedriver.StorageDriver, error) {
					b, err := open(ctx)
					if err != nil {
						return nil, err
					}
					options = append(options, layers.WithPartSize(partSize))
					return layerOn(ctx, path, layers.Complete(b, options...), mode, runtime.Config{}, options...)
				}
				loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
					return opened(ctx, parameters["mode"].(string))
				}
				budgeted := testsuites.Configure(func(h *testsuites.Harness) {
					h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
						d, err := opened(t.Context(), mode, layers.WithBudget(chunked.NewBudget(bytes)))
						if err != nil {
							t.Fatalf("open: %v", err)
						}
						return d
					}
				})
				testsuites.RegisterWasmSuite(t, path, map[string]any{"mode": mode}, loader, smallParts, transcribed("layer"), budgeted, testsuites.CheckLeaks())
			})
		}
	}
}
