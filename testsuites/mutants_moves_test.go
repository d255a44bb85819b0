package testsuites_test

import (
	"context"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// afterMove has Move do f when it has succeeded.
func afterMove(f func(ctx context.Context, good storagedriver.StorageDriver, source, dest string, dir bool)) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.move = func(ctx context.Context, source, dest string) error {
			info, _ := good.Stat(ctx, source)
			err := good.Move(ctx, source, dest)
			if err == nil {
				f(ctx, good, source, dest, info.IsDir())
			}
			return err
		}
	}
}

func moveMutants() []mutant {
	return []mutant{
		{"Move of a directory leaves the source", []string{"move/directory", "move/many", "move/deep", "context/mid-move"}, afterMove(func(ctx context.Context, good storagedriver.StorageDriver, source, dest string, dir bool) {
			if !dir {
				return
			}
			_ = good.Walk(ctx, dest, func(info storagedriver.FileInfo) error {
				if !info.IsDir() {
					content, _ := good.GetContent(ctx, info.Path())
					_ = good.PutContent(ctx, source+strings.TrimPrefix(info.Path(), dest), content)
				}
				return nil
			})
		})},
		{"Move of a directory loses a subdirectory", []string{"move/directory", "move/deep", "move/large-directory"}, afterMove(func(ctx context.Context, good storagedriver.StorageDriver, _, dest string, dir bool) {
			names, _ := good.List(ctx, dest)
			for _, name := range names {
				if info, err := good.Stat(ctx, name); dir && err == nil && info.IsDir() {
					_ = good.Delete(ctx, name)
					return
				}
			}
		})},
		{"Move of a directory takes those along whose name begins like it", []string{"move/prefix-siblings", "move/deep"}, afterMove(func(ctx context.Context, good storagedriver.StorageDriver, source, dest string, _ bool) {
			dir, _ := storagedriver.ParentPath(source)
			siblings, _ := good.List(ctx, dir)
			for _, s := range siblings {
				if strings.HasPrefix(s, source) && !strings.HasPrefix(dest, s) {
					_ = good.Move(ctx, s, dest+strings.TrimPrefix(s, source))
				}
			}
		})},
		{"Move does not replace", []string{"move/overwrites", "move/large-overwrites"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				if _, err := good.Stat(ctx, dest); err == nil && source != dest {
					return storagedriver.WrapError("Move", good.Name(), source, storagedriver.NewError(storagedriver.KindConflict, "something is there"))
				}
				return good.Move(ctx, source, dest)
			}
		}},
		{"Move of a missing path removes the new path", []string{"move/missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				err := good.Move(ctx, source, dest)
				if storagedriver.KindOf(err) == storagedriver.KindNotFound {
					_ = good.Delete(ctx, dest)
				}
				return err
			}
		}},
		{"Move of a missing path succeeds", []string{"move/missing", "errors/not-found"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				if err := good.Move(ctx, source, dest); storagedriver.KindOf(err) != storagedriver.KindNotFound {
					return err
				}
				return nil
			}
		}},
		{"Move of a file onto a directory replaces it", []string{"move/file-onto-directory"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				from, err := good.Stat(ctx, source)
				if to, at := good.Stat(ctx, dest); err == nil && at == nil && to.IsDir() && !from.IsDir() {
					_ = good.Delete(ctx, dest)
				}
				return good.Move(ctx, source, dest)
			}
		}},
		{"Move keeps only the first part of a large file", []string{"move/large", "move/large-directory", "move/large-overwrites"}, afterMove(func(ctx context.Context, good storagedriver.StorageDriver, _, dest string, _ bool) {
			cut := func(p string) {
				if content, err := good.GetContent(ctx, p); err == nil && len(content) > partSize {
					_ = good.PutContent(ctx, p, content[:partSize])
				}
			}
			cut(dest)
			_ = good.Walk(ctx, dest, func(info storagedriver.FileInfo) error { cut(info.Path()); return nil })
		})},
		{"a Move whose context ends has lost the rest", []string{"context/mid-move"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				detached := context.WithoutCancel(ctx)
				var files []string
				_ = good.Walk(detached, source, func(info storagedriver.FileInfo) error {
					if !info.IsDir() {
						files = append(files, info.Path())
					}
					return nil
				})
				for _, file := range files {
					if step(ctx) {
						_ = good.Delete(detached, source)
						return storagedriver.WrapError("Move", good.Name(), source, ctx.Err())
					}
					if err := good.Move(detached, file, dest+strings.TrimPrefix(file, source)); err != nil {
						return err
					}
				}
				return nil
			}
		}},
	}
}
