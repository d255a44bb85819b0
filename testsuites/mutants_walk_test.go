package testsuites_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

func walkMutants() []mutant {
	return []mutant{
		{"Walk sorts directories as files", []string{"walk/order"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var infos []storagedriver.FileInfo
				err := good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					infos = append(infos, info)
					return nil
				}, options...)
				slices.SortFunc(infos, func(a, b storagedriver.FileInfo) int { return strings.Compare(a.Path(), b.Path()) })
				for _, info := range infos {
					if err := f(info); err != nil {
						return err
					}
				}
				return err
			}
		}},
		{"Walk leaves out what is below the hint", []string{"walk/start-after"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var o storagedriver.WalkOptions
				for _, option := range options {
					option(&o)
				}
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					if storagedriver.IsBelow(info.Path(), o.StartAfterHint) && o.StartAfterHint != "" {
						return nil
					}
					return f(info)
				}, options...)
			}
		}},
		{"Walk wraps the caller's error", []string{"walk/error-identity"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				return storagedriver.WrapError("Walk", good.Name(), p, good.Walk(ctx, p, f, options...))
			}
		}},
		{"ErrSkipDir for a file ends its directory", []string{"walk/skip-dir-of-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var left string
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					if left != "" && storagedriver.IsBelow(info.Path(), left) {
						return nil
					}
					err := f(info)
					if err == storagedriver.ErrSkipDir && !info.IsDir() {
						left, _ = storagedriver.ParentPath(info.Path())
					}
					return err
				}, options...)
			}
		}},
		{"Walk calls from several goroutines", []string{"walk/serial"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var infos []storagedriver.FileInfo
				err := good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					infos = append(infos, info)
					return nil
				}, options...)
				var group sync.WaitGroup
				errs := make([]error, len(infos))
				for i, info := range infos {
					group.Go(func() { errs[i] = f(info) })
				}
				group.Wait()
				return errors.Join(append(errs, err)...)
			}
		}},
	}
}
