package testsuites_test

import (
	"context"
	"errors"
	"time"

	"github.com/berth-dev/storagedriver"
)

// step lets a little time pass, as an operation takes that is made of several, and reports whether ctx has ended.
func step(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-time.After(time.Millisecond):
	}
	return ctx.Err() != nil
}

// canceled is the error of an operation whose context has ended.
func canceled(ctx context.Context, op string, good storagedriver.StorageDriver, p string) error {
	return storagedriver.WrapError(op, good.Name(), p, ctx.Err())
}

func contextMutants() []mutant {
	return []mutant{
		{"reading operations ignore their context", []string{"context/ended-reads", "context/deadline"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				return good.GetContent(context.WithoutCancel(ctx), p)
			}
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				return good.Stat(context.WithoutCancel(ctx), p)
			}
		}},
		{"changing operations ignore their context", []string{"context/ended-changes"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				return good.Move(context.WithoutCancel(ctx), source, dest)
			}
			d.remove = func(ctx context.Context, p string) error { return good.Delete(context.WithoutCancel(ctx), p) }
		}},
		{"Walk ignores its context", []string{"walk/context-ends", "context/mid-walk"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				return good.Walk(context.WithoutCancel(ctx), p, f, options...)
			}
		}},
		{"Commit ignores its context", []string{"context/ended-commit", "cancel/after-failed-commit"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				w.commit = func(ctx context.Context) error { return w.FileWriter.Commit(context.WithoutCancel(ctx)) }
			})
		}},
		{"the end of a context is no Canceled", []string{"context/ended-changes", "context/mid-put"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				for range 30 {
					if step(ctx) {
						return errors.New("the connection was closed")
					}
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"a PutContent whose context ends leaves half", []string{"context/mid-put"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				for range 30 {
					if step(ctx) {
						_ = good.PutContent(context.WithoutCancel(ctx), p, content[:len(content)/2])
						return canceled(ctx, "PutContent", good, p)
					}
				}
				return good.PutContent(context.WithoutCancel(ctx), p, content)
			}
		}},
		{"a GetContent whose context ends gives half", []string{"context/mid-get"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				content, err := good.GetContent(context.WithoutCancel(ctx), p)
				for range 30 {
					if step(ctx) {
						return content[:len(content)/2], err
					}
				}
				return content, err
			}
		}},
		{"a Walk whose context ends returns nil", []string{"walk/context-ends", "context/mid-walk", "context/ended-reads"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				err := good.Walk(ctx, p, f, options...)
				if storagedriver.KindOf(err) == storagedriver.KindCanceled {
					return nil
				}
				return err
			}
		}},
		{"a Delete whose context ends leaves empty files", []string{"context/mid-delete"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				detached := context.WithoutCancel(ctx)
				_ = good.Walk(detached, p, func(info storagedriver.FileInfo) error {
					if !info.IsDir() {
						_ = good.PutContent(detached, info.Path(), nil)
					}
					if step(ctx) {
						return storagedriver.ErrFilledBuffer
					}
					return nil
				})
				if ctx.Err() != nil {
					return canceled(ctx, "Delete", good, p)
				}
				return good.Delete(detached, p)
			}
		}},
		{"a Commit whose context ends has lost the upload", []string{"context/mid-commit"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.commit = func(ctx context.Context) error {
					for range 30 {
						if step(ctx) {
							_ = w.FileWriter.Cancel(context.WithoutCancel(ctx))
							return canceled(ctx, "Commit", good, p)
						}
					}
					return w.FileWriter.Commit(context.WithoutCancel(ctx))
				}
			})
		}},
		{"a Commit whose context ends has committed half", []string{"context/mid-commit"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.commit = func(ctx context.Context) error {
					for range 30 {
						if step(ctx) {
							_ = good.PutContent(context.WithoutCancel(ctx), p, make([]byte, w.FileWriter.Size()/2))
							return canceled(ctx, "Commit", good, p)
						}
					}
					return w.FileWriter.Commit(context.WithoutCancel(ctx))
				}
			})
		}},
		{"a Write after the end of the context is lost without an error", []string{"context/mid-write", "context/mid-write-resumed", "context/ended-writer"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				inner, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				return &brokenWriter{FileWriter: inner, write: func(p []byte) (int, error) {
					if ctx.Err() != nil {
						return len(p), nil
					}
					return inner.Write(p)
				}}, nil
			}
		}},
		{"Close gives up when the context ends meanwhile", []string{"context/mid-close"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				inner, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				return &brokenWriter{FileWriter: inner, close: func() error {
					for range 10 {
						if step(ctx) {
							return inner.Cancel(context.WithoutCancel(ctx))
						}
					}
					return inner.Close()
				}}, nil
			}
		}},
		{"Cancel with an ended context succeeds and keeps the upload", []string{"context/ended-cancel"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				over := false
				w.cancel = func(ctx context.Context) error {
					if over = over || ctx.Err() != nil; over {
						return w.FileWriter.Close()
					}
					return w.FileWriter.Cancel(ctx)
				}
			})
		}},
	}
}
