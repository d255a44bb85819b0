package testsuites_test

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// partSize is the size of parts of the drivers under test here: small, so that many parts are soon written.
const partSize = 256 << 10

// wrapWriters has f make the writers of d wrong.
func wrapWriters(d *broken, good storagedriver.StorageDriver, f func(w *brokenWriter, path string, append bool)) {
	d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
		inner, err := good.Writer(ctx, p, append)
		if err != nil {
			return nil, err
		}
		w := &brokenWriter{FileWriter: inner}
		f(w, p, append)
		return w, nil
	}
}

func writerMutants() []mutant {
	return []mutant{
		{"two parts are swapped", []string{"stream/large"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				var all bytes.Buffer // the parts are 256 KiB here
				w.write = all.Write
				w.size = func() int64 { return int64(all.Len()) }
				w.commit = func(ctx context.Context) error {
					content := all.Bytes()
					if len(content) > 2*partSize {
						content = bytes.Join([][]byte{content[partSize : 2*partSize], content[:partSize], content[2*partSize:]}, nil)
					}
					if _, err := w.FileWriter.Write(content); err != nil {
						return err
					}
					return w.FileWriter.Commit(ctx)
				}
			})
		}},
		{"an upload is visible when it is suspended", []string{"write/commit-makes-visible", "write/committed-untouched"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.close = func() error {
					if _, err := good.Stat(context.Background(), p); err != nil || w.FileWriter.Size() > 0 {
						_ = good.PutContent(context.Background(), p, []byte("early"))
					}
					return w.FileWriter.Close()
				}
			})
		}},
		{"a fresh upload deletes what is committed", []string{"write/committed-untouched", "cancel/leaves-committed", "suspend/discarded-keeps-committed"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(_ *brokenWriter, p string, append bool) {
				if !append {
					_ = good.Delete(context.Background(), p)
				}
			})
		}},
		{"Size is 0 after Close", []string{"append/small", "write/size-exact"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				closed := false
				w.close = func() error { closed = true; return w.FileWriter.Close() }
				w.size = func() int64 {
					if closed {
						return 0
					}
					return w.FileWriter.Size()
				}
			})
		}},
		{"Size lags one Write behind", []string{"write/size-exact"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				var size atomic.Int64
				size.Store(w.FileWriter.Size())
				w.write = func(p []byte) (int, error) {
					size.Store(w.FileWriter.Size())
					return w.FileWriter.Write(p)
				}
				w.size = size.Load
			})
		}},
		{"Cancel after Commit deletes", []string{"cancel/after-commit"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.cancel = func(ctx context.Context) error {
					_ = good.Delete(ctx, p)
					return w.FileWriter.Cancel(ctx)
				}
			})
		}},
		{"Cancel only suspends", []string{"cancel/before-close", "cancel/after-close", "cancel/resumed"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				w.cancel = func(context.Context) error { return w.FileWriter.Close() }
			})
		}},
		{"Close after Close fails", []string{"write/close-idempotent"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				closed := false
				w.close = func() error {
					if closed {
						return storagedriver.NewError(storagedriver.KindClosed, "already closed")
					}
					closed = true
					return w.FileWriter.Close()
				}
			})
		}},
		{"Write keeps the bytes it was given", []string{"write/caller-keeps-buffers"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				var late []byte
				flush := func() {
					_, _ = w.FileWriter.Write(late)
					late = nil
				}
				w.write = func(p []byte) (int, error) { flush(); late = p; return len(p), nil }
				w.close = func() error { flush(); return w.FileWriter.Close() }
				w.commit = func(ctx context.Context) error { flush(); return w.FileWriter.Commit(ctx) }
			})
		}},
	}
}

func uploadMutants() []mutant {
	return []mutant{
		{"append begins anew", []string{"append/small", "suspend/second-driver", "append/many-suspends"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, _ bool) (storagedriver.FileWriter, error) {
				return good.Writer(ctx, p, false)
			}
		}},
		{"an upload without append goes on with the suspended one", []string{"suspend/discarded"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				w, err := good.Writer(ctx, p, true)
				if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
					return good.Writer(ctx, p, append)
				}
				return w, err
			}
		}},
		{"append to committed content begins anew", []string{"append/committed-content"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				w, err := good.Writer(ctx, p, append)
				if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
					return good.Writer(ctx, p, false)
				}
				return w, err
			}
		}},
		{"opening an upload fences the writer that runs", []string{"suspend/status", "suspend/status-of-resumed"}, func(d *broken, good storagedriver.StorageDriver) {
			var last atomic.Pointer[brokenWriter]
			wrapWriters(d, good, func(w *brokenWriter, _ string, append bool) {
				last.Store(w)
				w.write = func(p []byte) (int, error) {
					if last.Load() != w {
						return 0, storagedriver.NewError(storagedriver.KindConflict, "another writer was opened")
					}
					return w.FileWriter.Write(p)
				}
			})
		}},
		{"Close after the context ended suspends nothing", []string{"suspend/close-after-context-ended", "context/mid-write", "context/mid-write-resumed"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				inner, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				w := &brokenWriter{FileWriter: inner}
				w.close = func() error {
					if ctx.Err() != nil {
						return inner.Cancel(context.Background())
					}
					return inner.Close()
				}
				return w, nil
			}
		}},
		{"a writer does not see that its context ended", []string{"suspend/context-ended"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				return good.Writer(context.WithoutCancel(ctx), p, append)
			}
		}},
	}
}
