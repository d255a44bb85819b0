package testsuites_test

import (
	"context"
	"path"
	"slices"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// relist has List answer what f makes of the right answer.
func relist(f func(ctx context.Context, good storagedriver.StorageDriver, dir string, names []string) []string) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.list = func(ctx context.Context, p string) ([]string, error) {
			names, err := good.List(ctx, p)
			if err != nil {
				return nil, err
			}
			return f(ctx, good, p, names), nil
		}
	}
}

func listMutants() []mutant {
	return []mutant{
		{"List gives no order", []string{"list/sorted", "list/children", "list/many"}, relist(func(_ context.Context, _ storagedriver.StorageDriver, _ string, names []string) []string {
			slices.Reverse(names)
			return names
		})},
		{"List gives each twice", []string{"list/direct-only", "list/children"}, relist(func(_ context.Context, _ storagedriver.StorageDriver, _ string, names []string) []string {
			names = append(names, names...)
			slices.Sort(names)
			return names
		})},
		{"List gives names instead of full paths", []string{"list/children", "driver/root-exists"}, relist(func(_ context.Context, _ storagedriver.StorageDriver, _ string, names []string) []string {
			for i := range names {
				names[i] = path.Base(names[i])
			}
			return names
		})},
		{"List gives grandchildren too", []string{"list/direct-only"}, relist(func(ctx context.Context, good storagedriver.StorageDriver, _ string, names []string) []string {
			for _, name := range slices.Clone(names) {
				below, _ := good.List(ctx, name)
				names = append(names, below...)
			}
			slices.Sort(names)
			return names
		})},
		{"List leaves out directories", []string{"list/children", "list/many-directories"}, relist(func(ctx context.Context, good storagedriver.StorageDriver, _ string, names []string) []string {
			return slices.DeleteFunc(names, func(name string) bool {
				info, err := good.Stat(ctx, name)
				return err == nil && info.IsDir()
			})
		})},
		{"List goes by prefix", []string{"list/prefix-siblings"}, func(d *broken, good storagedriver.StorageDriver) {
			d.list = func(ctx context.Context, p string) ([]string, error) {
				names, err := good.List(ctx, p)
				if err != nil {
					return nil, err
				}
				dir, _ := storagedriver.ParentPath(p)
				siblings, _ := good.List(ctx, dir)
				for _, s := range siblings {
					if len(s) > len(p) && s[:len(p)] == p {
						below, _ := good.List(ctx, s)
						names = append(names, below...)
					}
				}
				return names, nil
			}
		}},
		{"List of a missing path is empty", []string{"list/missing", "list/file", "errors/not-found", "errors/wrong-kind"}, func(d *broken, good storagedriver.StorageDriver) {
			d.list = func(ctx context.Context, p string) ([]string, error) {
				names, err := good.List(ctx, p)
				if storagedriver.KindOf(err) == storagedriver.KindNotFound {
					return nil, nil
				}
				return names, err
			}
		}},
		{"List shows unfinished uploads", []string{"write/uploads-hidden"}, func(d *broken, good storagedriver.StorageDriver) {
			var uploads sync.Map
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				uploads.Store(p, true)
				return good.Writer(ctx, p, append)
			}
			relist(func(_ context.Context, _ storagedriver.StorageDriver, dir string, names []string) []string {
				uploads.Range(func(p, _ any) bool {
					if above, _ := storagedriver.ParentPath(p.(string)); above == dir {
						names = append(names, p.(string))
					}
					return true
				})
				slices.Sort(names)
				return slices.Compact(names)
			})(d, good)
		}},
		{"a List whose context ends gives what it has", []string{"context/mid-list"}, func(d *broken, good storagedriver.StorageDriver) {
			d.list = func(ctx context.Context, p string) ([]string, error) {
				names, err := good.List(context.WithoutCancel(ctx), p)
				for i := range names {
					if i%20 == 0 && step(ctx) {
						return names[:i], nil
					}
				}
				return names, err
			}
		}},
	}
}
