package testsuites_test

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// leave suspends an upload of size bytes at p.
func leave(good storagedriver.StorageDriver, p string, size int64) {
	if w, err := good.Writer(context.Background(), p, false); err == nil {
		_, _ = w.Write(make([]byte, size))
		_ = w.Close()
	}
}

// unfinished returns the size of the upload that is suspended at p, or 0.
func unfinished(good storagedriver.StorageDriver, p string) int64 {
	w, err := good.Writer(context.Background(), p, true)
	if err != nil {
		return 0
	}
	defer w.Close()
	return w.Size()
}

// discard ends the upload that is suspended at p.
func discard(good storagedriver.StorageDriver, p string) {
	if w, err := good.Writer(context.Background(), p, false); err == nil {
		_ = w.Close()
	}
}

// cancelMutants are wrong in what Cancel ends.
func cancelMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	return []mutant{
		{"Cancel deletes what is committed", []string{"cancel/leaves-committed", "cancel/after-commit", "cancel/after-failed-commit", "cancel/stale-leaves-committed"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.cancel = func(ctx context.Context) error {
				_ = good.Delete(ctx, p)
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"a second Cancel fails", []string{"cancel/twice", "cancel/every-state"}, rewrite(func(w writer, good driver, p string, _ bool) {
			over := false
			w.cancel = func(ctx context.Context) error {
				if over {
					return storagedriver.WrapError("Cancel", good.Name(), p, storagedriver.NewError(storagedriver.KindClosed, "cancelled already"))
				}
				over = true
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"Cancel after Commit fails", []string{"cancel/after-commit"}, rewrite(func(w writer, good driver, p string, _ bool) {
			over := false
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				over = over || err == nil
				return err
			}
			w.cancel = func(ctx context.Context) error {
				if over {
					return storagedriver.WrapError("Cancel", good.Name(), p, storagedriver.NewError(storagedriver.KindClosed, "committed already"))
				}
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"Cancel of a fresh upload fails", []string{"cancel/fresh", "cancel/every-state"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.cancel = func(ctx context.Context) error {
				if w.FileWriter.Size() == 0 {
					return storagedriver.WrapError("Cancel", good.Name(), p, storagedriver.NewError(storagedriver.KindNotFound, "there is no upload"))
				}
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"Cancel of a resumed upload ends what was added", []string{"cancel/resumed", "cancel/every-state"}, rewrite(func(w writer, good driver, p string, append bool) {
			before := w.FileWriter.Size()
			w.cancel = func(ctx context.Context) error {
				err := w.FileWriter.Cancel(ctx)
				if append && before > 0 {
					leave(good, p, before)
				}
				return err
			}
		})},
		{"Cancel after Close does nothing", []string{"cancel/after-close", "cancel/every-state", "write/close-idempotent"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			closed := false
			w.close = func() error { closed = true; return w.FileWriter.Close() }
			w.cancel = func(ctx context.Context) error {
				if closed {
					return nil
				}
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"Cancel after the context ended does nothing", []string{"cancel/after-context-ended"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				w, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				return &brokenWriter{FileWriter: w, cancel: func(c context.Context) error {
					if ctx.Err() != nil {
						return w.Close()
					}
					return w.Cancel(c)
				}}, nil
			}
		}},
		{"Cancel ends whatever is at the path", []string{"cancel/stale-leaves-new-upload", "cancel/then-anew", "write/commit-then-anew"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.cancel = func(ctx context.Context) error {
				err := w.FileWriter.Cancel(ctx)
				if w.FileWriter.Size() == 0 || err == nil {
					discard(good, p)
				}
				return err
			}
		})},
		{"Cancel ends the uploads beside it", []string{"cancel/others-live-on"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.cancel = func(ctx context.Context) error {
				for _, other := range []string{"b", "-b", ".b"} {
					discard(good, p+other)
				}
				return w.FileWriter.Cancel(ctx)
			}
		})},
		{"Commit after Cancel commits", []string{"cancel/use-after", "cancel/after-failed-commit"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				if storagedriver.KindOf(err) == storagedriver.KindClosed {
					return good.PutContent(ctx, p, nil)
				}
				return err
			}
		})},
	}
}

// endingMutants are wrong in what becomes of uploads when something happens to their path.
func endingMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	return []mutant{
		{"Move takes a suspended upload along", []string{"ending/move-path"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				size := unfinished(good, source)
				err := good.Move(ctx, source, dest)
				if err == nil && size > 0 {
					leave(good, dest, size)
				}
				return err
			}
		}},
		{"Move leaves a suspended upload where it was", []string{"ending/move-path", "ending/move-ancestor"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				sizes := map[string]int64{}
				for _, name := range []string{"", "/file", "/committed"} {
					sizes[source+name] = unfinished(good, source+name)
				}
				err := good.Move(ctx, source, dest)
				for p, size := range sizes {
					if err == nil && size > 0 {
						leave(good, p, size)
					}
				}
				return err
			}
		}},
		{"Move onto a path leaves the suspended upload there", []string{"ending/move-onto"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				size := unfinished(good, dest)
				err := good.Move(ctx, source, dest)
				if err == nil && size > 0 {
					leave(good, dest, size)
				}
				return err
			}
		}},
		{"Delete of a directory leaves the uploads below it", []string{"ending/delete-ancestor"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				size := unfinished(good, p+"/a/file")
				err := good.Delete(ctx, p)
				if size > 0 {
					leave(good, p+"/a/file", size)
				}
				return err
			}
		}},
		{"Delete ends uploads whose path begins alike", []string{"ending/delete-siblings"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				discard(good, p+"b")
				return good.Delete(ctx, p)
			}
		}},
		{"Move ends uploads whose path begins alike", []string{"ending/move-siblings"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				discard(good, source+"b")
				return good.Move(ctx, source, dest)
			}
		}},
		{"Commit leaves the upload to be resumed", []string{"ending/commit-leaves-nothing"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				if err == nil && w.FileWriter.Size() > 0 {
					leave(good, p, w.FileWriter.Size())
				}
				return err
			}
		})},
	}
}
