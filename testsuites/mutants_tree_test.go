package testsuites_test

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

func treeMutants() []mutant {
	return []mutant{
		{"Delete goes by prefix", []string{"delete/only-subpaths"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				err := good.Delete(ctx, p)
				dir, _ := storagedriver.ParentPath(p)
				siblings, _ := good.List(ctx, dir)
				for _, s := range siblings {
					if strings.HasPrefix(s, p) {
						_ = good.Delete(ctx, s)
					}
				}
				return err
			}
		}},
		{"List answers what it answered before", []string{"list/up-to-date"}, func(d *broken, good storagedriver.StorageDriver) {
			var mu sync.Mutex
			before := map[string][]string{}
			d.list = func(ctx context.Context, p string) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				if names, ok := before[p]; ok {
					return names, nil
				}
				names, err := good.List(ctx, p)
				if err == nil {
					before[p] = names
				}
				return names, err
			}
		}},
		{"List ends with its first page", []string{"list/many"}, func(d *broken, good storagedriver.StorageDriver) {
			d.list = func(ctx context.Context, p string) ([]string, error) {
				names, err := good.List(ctx, p)
				return names[:min(1000, len(names))], err
			}
		}},
		{"Move copies", []string{"move/file", "move/overwrites"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				content, err := good.GetContent(ctx, source)
				if err != nil {
					return good.Move(ctx, source, dest)
				}
				return good.PutContent(ctx, dest, content)
			}
		}},
		{"Move to itself deletes", []string{"move/onto-itself"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				if source == dest {
					return good.Delete(ctx, source)
				}
				return good.Move(ctx, source, dest)
			}
		}},
		{"Delete leaves suspended uploads", []string{"ending/delete-path"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				var size int64
				if w, err := good.Writer(ctx, p, true); err == nil {
					size = w.Size()
					_ = w.Close()
				}
				err := good.Delete(ctx, p)
				if size > 0 && err == nil {
					w, _ := good.Writer(ctx, p, false)
					_, _ = w.Write(make([]byte, size))
					_ = w.Close()
				}
				return err
			}
		}},
		{"private names are taken", []string{"paths/private"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				return good.PutContent(ctx, strings.ReplaceAll(p, "~", "_"), content)
			}
		}},
		{"paths are cleaned instead of refused", []string{"paths/dot-components", "paths/malformed"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				return good.GetContent(ctx, path.Clean("/"+p))
			}
		}},
	}
}
