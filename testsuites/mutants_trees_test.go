package testsuites_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// reorder has Walk call with what f makes of what it calls with.
func reorder(f func(p string, infos []storagedriver.FileInfo) []storagedriver.FileInfo) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.walk = func(ctx context.Context, p string, fn storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
			infos, err := collect(ctx, good.Walk, p, options...)
			if err != nil {
				return err
			}
			return replay(f(p, infos), fn)
		}
	}
}

// walkTreeMutants are wrong in which entries Walk calls with, and when.
func walkTreeMutants() []mutant {
	return []mutant{
		{"Walk calls children before parents", []string{"walk/order", "walk/deep"}, reorder(func(_ string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			slices.Reverse(infos)
			return infos
		})},
		{"Walk calls all files of a directory before its subdirectories", []string{"walk/order", "walk/many"}, reorder(func(_ string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			slices.SortStableFunc(infos, func(a, b storagedriver.FileInfo) int {
				return strings.Count(a.Path(), "/") - strings.Count(b.Path(), "/")
			})
			return infos
		})},
		{"Walk ends with a thousand entries", []string{"walk/many", "walk/many-skipped", "move/many"}, reorder(func(_ string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			return infos[:min(1000, len(infos))]
		})},
		{"Walk calls with the directory it was given", []string{"walk/order", "walk/subtree"}, reorder(func(p string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			return slices.Insert(infos, 0, storagedriver.NewFileInfo(p, storagedriver.Entry{Dir: true}))
		})},
		{"Walk calls with files alone", []string{"walk/order", "walk/stop-and-skip-last"}, reorder(func(_ string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			return slices.DeleteFunc(infos, storagedriver.FileInfo.IsDir)
		})},
		{"Walk goes down 50 directories", []string{"walk/deep"}, reorder(func(p string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			return slices.DeleteFunc(infos, func(info storagedriver.FileInfo) bool { return strings.Count(info.Path()[len(p):], "/") > 50 })
		})},
		{"Walk says every file is empty", []string{"walk/infos"}, reorder(func(_ string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			for i, info := range infos {
				infos[i] = storagedriver.NewFileInfo(info.Path(), storagedriver.Entry{Dir: info.IsDir(), ModTime: info.ModTime()})
			}
			return infos
		})},
		{"Walk of / finds nothing", []string{"walk/root"}, reorder(func(p string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			if p == "/" {
				return nil
			}
			return infos
		})},
		{"Walk shows private names", []string{"write/uploads-hidden"}, reorder(func(p string, infos []storagedriver.FileInfo) []storagedriver.FileInfo {
			return append(infos, storagedriver.NewFileInfo(p+"/"+storagedriver.PrivateMark, storagedriver.Entry{Dir: true}))
		})},
		{"Walk goes by prefix", []string{"walk/subtree"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				dir, _ := storagedriver.ParentPath(p)
				siblings, _ := good.List(ctx, dir)
				for _, s := range siblings {
					if s != p && strings.HasPrefix(s, p) {
						if infos, err := collect(ctx, good.Walk, s); err == nil {
							_ = replay(infos, f)
						}
					}
				}
				return good.Walk(ctx, p, f, options...)
			}
		}},
		{"Walk of a missing directory returns nil", []string{"walk/missing", "errors/not-found", "errors/below-missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				if err := good.Walk(ctx, p, f, options...); storagedriver.KindOf(err) != storagedriver.KindNotFound || err == nil {
					return err
				}
				return nil
			}
		}},
		{"Walk of a file calls with the file", []string{"walk/file", "errors/wrong-kind"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				if info, err := good.Stat(ctx, p); err == nil && !info.IsDir() {
					return f(info)
				}
				return good.Walk(ctx, p, f, options...)
			}
		}},
		{"one Walk runs at a time", []string{"walk/driver-usable", "walk/concurrent", "walk/garbage-collection"}, func(d *broken, good storagedriver.StorageDriver) {
			var running atomic.Bool
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				if running.Swap(true) {
					return storagedriver.WrapError("Walk", good.Name(), p, storagedriver.NewError(storagedriver.KindUnavailable, "busy"))
				}
				defer running.Store(false)
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error { step(ctx); return f(info) }, options...)
			}
		}},
	}
}
