package testsuites_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// failure is an error of the driver.
func failure(op string, good storagedriver.StorageDriver, p string, kind storagedriver.Kind) error {
	return storagedriver.WrapError(op, good.Name(), p, storagedriver.NewError(kind, "on purpose"))
}

// placeMutants are wrong in what may be where.
func placeMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	return []mutant{
		{"Move to an impossible path does nothing", []string{"move/directory-into-itself", "move/under-file", "move/directory-under-file", "move/directory-onto-file", "move/file-onto-directory"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				if err := good.Move(ctx, source, dest); storagedriver.KindOf(err) != storagedriver.KindInvalidPath {
					return err
				}
				return nil
			}
		}},
		{"Move makes no directories", []string{"move/makes-directories", "move/deep"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				dir, _ := storagedriver.ParentPath(dest)
				if _, err := good.Stat(ctx, dir); err != nil {
					return failure("Move", good, source, storagedriver.KindNotFound)
				}
				return good.Move(ctx, source, dest)
			}
		}},
		{"what was moved away cannot come back", []string{"move/there-and-back", "move/file"}, func(d *broken, good storagedriver.StorageDriver) {
			var left sync.Map
			refuse := func(op, p string) error {
				if _, ok := left.Load(p); ok {
					return failure(op, good, p, storagedriver.KindConflict)
				}
				return nil
			}
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				if err := refuse("PutContent", p); err != nil {
					return err
				}
				return good.PutContent(ctx, p, content)
			}
			d.move = func(ctx context.Context, source, dest string) error {
				if err := refuse("Move", dest); err != nil {
					return err
				}
				left.Store(source, true)
				return good.Move(ctx, source, dest)
			}
		}},
		{"a deleted file cannot become a directory", []string{"delete/then-reuse"}, func(d *broken, good storagedriver.StorageDriver) {
			var deleted sync.Map
			d.remove = func(ctx context.Context, p string) error {
				deleted.Store(p, true)
				return good.Delete(ctx, p)
			}
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				dir, _ := storagedriver.ParentPath(p)
				if _, was := deleted.Load(dir); was {
					return failure("PutContent", good, p, storagedriver.KindInvalidPath)
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"the root is an empty file", []string{"paths/root-is-no-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				if p == "/" {
					return nil, nil
				}
				return good.GetContent(ctx, p)
			}
		}},
		{"Commit makes no directories", []string{"write/makes-directories", "stream/one-byte", "append/new-path"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				dir, _ := storagedriver.ParentPath(p)
				if _, err := good.Stat(ctx, dir); err != nil && strings.Count(p, "/") > 2 {
					return failure("Commit", good, p, storagedriver.KindNotFound)
				}
				return w.FileWriter.Commit(ctx)
			}
		})},
		{"an upload onto a directory replaces it", []string{"write/onto-directory", "write/suspended-under-file"}, func(d *broken, good storagedriver.StorageDriver) {
			replace := func(ctx context.Context, p string) {
				if info, err := good.Stat(ctx, p); err == nil && info.IsDir() {
					_ = good.Delete(ctx, p)
				}
			}
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				replace(ctx, p)
				return good.Writer(ctx, p, append)
			}
		}},
		{"an upload whose path was deleted commits zeros", []string{"ending/delete-running"}, func(d *broken, good storagedriver.StorageDriver) {
			var deleted sync.Map
			d.remove = func(ctx context.Context, p string) error {
				deleted.Store(p, true)
				return good.Delete(ctx, p)
			}
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.commit = func(ctx context.Context) error {
					if _, was := deleted.Load(p); was {
						return good.PutContent(ctx, p, make([]byte, w.FileWriter.Size()))
					}
					return w.FileWriter.Commit(ctx)
				}
			})
		}},
		{"Move onto a directory of suspended uploads keeps them", []string{"ending/move-onto-ancestor"}, func(d *broken, good storagedriver.StorageDriver) {
			kept := map[string]int64{}
			d.move = func(ctx context.Context, source, dest string) error {
				kept[dest] = unfinished(good, dest+"/x")
				err := good.Move(ctx, source, dest)
				if size := kept[source]; err == nil && size > 0 {
					leave(good, source+"/x", size)
				}
				return err
			}
		}},
	}
}

// cacheMutants remember what they should look at.
func cacheMutants() []mutant {
	return []mutant{
		{"a driver reads again what it has read before", []string{"driver/sees-what-another-stored", "concurrent/readers-and-writers", "stream/replaces"}, func(d *broken, good storagedriver.StorageDriver) {
			var read sync.Map
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				defer read.Delete(p)
				return good.PutContent(ctx, p, content)
			}
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if content, ok := read.Load(p); ok && offset == 0 {
					return io.NopCloser(bytes.NewReader(content.([]byte))), nil
				}
				if content, err := good.GetContent(ctx, p); err == nil {
					read.Store(p, content)
				}
				return good.Reader(ctx, p, offset)
			}
		}},
		{"Walk finds what was deleted", []string{"walk/emptied", "errors/emptied-directory", "delete/many"}, func(d *broken, good storagedriver.StorageDriver) {
			var deleted sync.Map
			d.remove = func(ctx context.Context, p string) error {
				if info, err := good.Stat(ctx, p); err == nil {
					deleted.Store(p, info)
				}
				return good.Delete(ctx, p)
			}
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				err := good.Walk(ctx, p, f, options...)
				deleted.Range(func(path, _ any) bool {
					if path == p || storagedriver.IsBelow(path.(string), p) {
						err = f(storagedriver.NewFileInfo(path.(string), storagedriver.Entry{Size: 8}))
					}
					return true
				})
				return err
			}
		}},
		{"content lives as long as the context of its Commit", []string{"suspend/commit-under-another-context"}, func(d *broken, good storagedriver.StorageDriver) {
			var lives sync.Map
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.commit = func(ctx context.Context) error {
					lives.Store(p, ctx)
					return w.FileWriter.Commit(ctx)
				}
			})
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if life, ok := lives.Load(p); ok && life.(context.Context).Err() != nil {
					return nil, failure("Reader", good, p, storagedriver.KindNotFound)
				}
				return good.Reader(ctx, p, offset)
			}
		}},
	}
}
