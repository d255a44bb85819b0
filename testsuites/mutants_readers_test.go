package testsuites_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// readerFunc is Reader.
type readerFunc func(ctx context.Context, path string, offset int64) (io.ReadCloser, error)

// brokenReader reads as it is told.
type brokenReader struct {
	io.ReadCloser
	read  func(p []byte) (int, error)
	close func() error
}

func (r *brokenReader) Read(p []byte) (int, error) { return r.read(p) }

func (r *brokenReader) Close() error {
	if r.close != nil {
		return r.close()
	}
	return r.ReadCloser.Close()
}

// unlessKind returns good, but with what other gives where good says kind.
func unlessKind(good readerFunc, kind storagedriver.Kind, other readerFunc) readerFunc {
	return func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
		r, err := good(ctx, p, offset)
		if storagedriver.KindOf(err) == kind && err != nil {
			return other(ctx, p, offset)
		}
		return r, err
	}
}

func readerMutants() []mutant {
	empty := func(context.Context, string, int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	return []mutant{
		{"Reader ignores its offset", []string{"reader/offsets", "reader/last-byte", "reader/at-end"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, _ int64) (io.ReadCloser, error) { return good.Reader(ctx, p, 0) }
		}},
		{"Reader is empty beyond the end", []string{"reader/beyond-end"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if offset < 0 {
					return good.Reader(ctx, p, offset)
				}
				return unlessKind(good.Reader, storagedriver.KindInvalidOffset, empty)(ctx, p, offset)
			}
		}},
		{"Reader fails at the end", []string{"reader/at-end"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if info, err := good.Stat(ctx, p); err == nil && info.Size() == offset {
					offset++
				}
				return good.Reader(ctx, p, offset)
			}
		}},
		{"Reader takes a negative offset for 0", []string{"reader/negative-offset"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				return good.Reader(ctx, p, max(0, offset))
			}
		}},
		{"Reader of a directory is empty", []string{"reader/directory", "errors/wrong-kind"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = unlessKind(good.Reader, storagedriver.KindNotFound, func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if info, err := good.Stat(ctx, p); err == nil && info.IsDir() {
					return empty(ctx, p, offset)
				}
				return good.Reader(ctx, p, offset)
			})
		}},
		{"Reader of a missing path is empty", []string{"reader/missing", "errors/not-found", "delete/file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = unlessKind(good.Reader, storagedriver.KindNotFound, empty)
		}},
		{"GetContent of a directory is empty", []string{"content/get-directory", "errors/wrong-kind", "errors/emptied-directory"}, func(d *broken, good storagedriver.StorageDriver) {
			dirs := sync.Map{}
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				for above, _ := storagedriver.ParentPath(p); above != "/"; above, _ = storagedriver.ParentPath(above) {
					dirs.Store(above, true)
				}
				return good.PutContent(ctx, p, content)
			}
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				if _, dir := dirs.Load(p); dir {
					return nil, nil
				}
				return good.GetContent(ctx, p)
			}
		}},
		{"a reader tells the size of the whole file", []string{"reader/offsets"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				return sizedFrom{r.(storagedriver.SizedReader), offset}, nil
			}
		}},
		{"readers of one file share a position", []string{"reader/independent"}, func(d *broken, good storagedriver.StorageDriver) {
			var shared io.ReadCloser
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if shared == nil {
					var err error
					if shared, err = good.Reader(ctx, p, offset); err != nil {
						return nil, err
					}
				}
				return shared, nil
			}
		}},
		{"a reader ends well when its context has ended", []string{"reader/context-governs", "context/mid-read"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				return &brokenReader{ReadCloser: r, read: func(p []byte) (int, error) {
					if step(ctx) {
						return 0, io.EOF
					}
					return r.Read(p)
				}}, nil
			}
		}},
		{"a reader repeats bytes after a short Read", []string{"reader/small-pieces"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				var last byte
				again := false
				return &brokenReader{ReadCloser: r, read: func(p []byte) (int, error) {
					if again && len(p) == 7 {
						again, p[0] = false, last
						return 1, nil
					}
					n, err := r.Read(p)
					if n > 0 {
						last, again = p[n-1], true
					}
					return n, err
				}}, nil
			}
		}},
		{"a reader gives bytes after Close", []string{"reader/close-twice"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				return &brokenReader{ReadCloser: r, read: r.Read, close: func() error { return nil }}, nil
			}
		}},
		{"a second Close of a reader fails", []string{"reader/close-twice"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				closed := false
				return &brokenReader{ReadCloser: r, read: r.Read, close: func() error {
					if closed {
						return errors.New("closed already")
					}
					closed = true
					return r.Close()
				}}, nil
			}
		}},
		{"an open reader mixes old content and new", []string{"content/overwritten-under-reader", "write/reader-under-commit"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				at := offset
				return &brokenReader{ReadCloser: r, read: func(buf []byte) (int, error) {
					now, err := good.Reader(ctx, p, at)
					if err != nil {
						return 0, err
					}
					defer now.Close()
					n, err := now.Read(buf)
					at += int64(n)
					return n, err
				}}, nil
			}
		}},
	}
}

// sizedFrom counts the bytes before its offset as well.
type sizedFrom struct {
	storagedriver.SizedReader
	offset int64
}

func (r sizedFrom) Size() int64 { return r.SizedReader.Size() + r.offset }
