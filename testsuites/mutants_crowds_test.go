package testsuites_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// ascii replaces what is not.
func ascii(content []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r >= 0x80 {
			return '?'
		}
		return r
	}, content)
}

// crowdMutants are wrong when several use them, and in bytes of some kind or number.
func crowdMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	var owners sync.Map
	return []mutant{
		{"Delete is refused while another runs", []string{"concurrent/deletes", "concurrent/put-and-delete"}, func(d *broken, good storagedriver.StorageDriver) {
			var running atomic.Int64
			d.remove = func(ctx context.Context, p string) error {
				defer running.Add(-1)
				if running.Add(1) > 1 {
					return failure("Delete", good, p, storagedriver.KindUnavailable)
				}
				step(ctx)
				return good.Delete(ctx, p)
			}
		}},
		{"of puts into one directory at the same time one fails", []string{"concurrent/new-directory", "concurrent/put-and-delete", "concurrent/readers-and-writers"}, func(d *broken, good storagedriver.StorageDriver) {
			var busy sync.Map
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				dir, _ := storagedriver.ParentPath(p)
				if _, taken := busy.LoadOrStore(dir, true); taken {
					return failure("PutContent", good, p, storagedriver.KindUnavailable)
				}
				defer busy.Delete(dir)
				step(ctx)
				return good.PutContent(ctx, p, content)
			}
		}},
		{"one file is read by one reader at a time", []string{"reader/concurrent", "reader/independent"}, func(d *broken, good storagedriver.StorageDriver) {
			var open atomic.Int64
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if open.Add(1) > 1 {
					open.Add(-1)
					return nil, failure("Reader", good, p, storagedriver.KindUnavailable)
				}
				step(ctx)
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					open.Add(-1)
					return nil, err
				}
				return &brokenReader{ReadCloser: r, read: r.Read, close: func() error { open.Add(-1); return r.Close() }}, nil
			}
		}},
		{"readers that are closed early hold a connection", []string{"reader/closed-early"}, func(d *broken, good storagedriver.StorageDriver) {
			var held atomic.Int64
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				if held.Load() >= 64 {
					return nil, failure("Reader", good, p, storagedriver.KindUnavailable)
				}
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				held.Add(1)
				return &brokenReader{ReadCloser: r, read: func(b []byte) (int, error) {
					n, err := r.Read(b)
					if err == io.EOF {
						held.Add(-1)
					}
					return n, err
				}}, nil
			}
		}},
		{"an upload belongs to the driver that opened it last", []string{"suspend/status-second-driver"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				owners.Store(p, d)
				w.write = func(b []byte) (int, error) {
					if owner, _ := owners.Load(p); owner != d {
						return 0, failure("Write", good, p, storagedriver.KindConflict)
					}
					return w.FileWriter.Write(b)
				}
			})
		}},
		{"PutContent stores ASCII", []string{"content/utf8", "content/not-utf8", "content/32-bytes"}, reput(func(_ context.Context, _ storagedriver.StorageDriver, _ string, content []byte) []byte {
			return ascii(content)
		})},
		{"uploads store ASCII", []string{"stream/utf8", "stream/not-utf8", "stream/32-bytes"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.write = func(b []byte) (int, error) {
				if _, err := w.FileWriter.Write(ascii(b)); err != nil {
					return 0, err
				}
				return len(b), nil
			}
		})},
		{"Writes are filled up to words", []string{"stream/odd-pieces", "stream/one-byte", "write/size-odd-writes"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.write = func(b []byte) (int, error) {
				if _, err := w.FileWriter.Write(append(bytes.Clone(b), make([]byte, -len(b)&7)...)); err != nil {
					return 0, err
				}
				return len(b), nil
			}
		})},
	}
}
