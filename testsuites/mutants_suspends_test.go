package testsuites_test

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// reopenWith has Writer with append give what f gives where it is not nil.
func reopenWith(f func(ctx context.Context, good storagedriver.StorageDriver, p string) (storagedriver.FileWriter, error)) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
			if append {
				if w, err := f(ctx, good, p); w != nil || err != nil {
					return w, err
				}
			}
			return good.Writer(ctx, p, append)
		}
	}
}

// suspendMutants are wrong in what a resumed upload is.
func suspendMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	background := context.Background()
	return []mutant{
		{"a suspend drops the last bytes", []string{"append/small", "append/many-suspends", "suspend/second-driver"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			var tail []byte
			w.write = func(b []byte) (int, error) {
				n := max(0, len(b)-10)
				if _, err := w.FileWriter.Write(append(tail, b[:n]...)); err != nil {
					return 0, err
				}
				tail = append([]byte(nil), b[n:]...)
				return len(b), nil
			}
			w.size = func() int64 { return w.FileWriter.Size() + int64(len(tail)) }
			w.commit = func(ctx context.Context) error {
				_, _ = w.FileWriter.Write(tail)
				tail = nil
				return w.FileWriter.Commit(ctx)
			}
		})},
		{"a suspend repeats the last byte", []string{"append/small", "append/uneven", "append/many-suspends"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			var last []byte
			w.write = func(b []byte) (int, error) {
				n, err := w.FileWriter.Write(b)
				if n > 0 {
					last = []byte{b[n-1]}
				}
				return n, err
			}
			w.commit = func(ctx context.Context) error { last = nil; return w.FileWriter.Commit(ctx) }
			w.close = func() error {
				_, _ = w.FileWriter.Write(last)
				last = nil
				return w.FileWriter.Close()
			}
		})},
		{"a resume loses what was after the last whole part", []string{"append/large", "append/uneven", "suspend/second-driver-large"}, reopenWith(func(ctx context.Context, good driver, p string) (storagedriver.FileWriter, error) {
			w, err := good.Writer(ctx, p, true)
			if err != nil || w.Size() <= partSize || w.Size()%partSize == 0 {
				return w, err
			}
			size := w.Size()
			return &brokenWriter{FileWriter: w, size: func() int64 { return w.Size() - size%partSize }}, nil
		})},
		{"append to a path with nothing is NotFound", []string{"append/new-path", "append/deleted-path", "append/moved-path"}, reopenWith(func(ctx context.Context, good driver, p string) (storagedriver.FileWriter, error) {
			w, err := good.Writer(ctx, p, true)
			if err != nil || w.Size() > 0 {
				return w, err
			}
			_ = w.Close()
			return nil, storagedriver.WrapError("Writer", good.Name(), p, storagedriver.NewError(storagedriver.KindNotFound, "nothing is there"))
		})},
		{"append to an empty file is Unsupported", []string{"append/zero-byte-upload", "append/zero-byte-content"}, reopenWith(func(ctx context.Context, good driver, p string) (storagedriver.FileWriter, error) {
			if info, err := good.Stat(ctx, p); err == nil && info.Size() == 0 {
				return nil, storagedriver.WrapError("Writer", good.Name(), p, storagedriver.NewError(storagedriver.KindUnsupported, "something is there"))
			}
			return nil, nil
		})},
		{"append looks at committed content first", []string{"append/suspended-before-committed", "write/committed-untouched"}, reopenWith(func(ctx context.Context, good driver, p string) (storagedriver.FileWriter, error) {
			if info, err := good.Stat(ctx, p); err == nil && info.Size() > 0 {
				return nil, storagedriver.WrapError("Writer", good.Name(), p, storagedriver.NewError(storagedriver.KindUnsupported, "something is there"))
			}
			return nil, nil
		})},
		{"append that is Unsupported has removed the content", []string{"append/committed-content", "append/committed-large", "append/committed-cancelled"}, reopenWith(func(ctx context.Context, good driver, p string) (storagedriver.FileWriter, error) {
			w, err := good.Writer(ctx, p, true)
			if err != nil {
				_ = good.Delete(ctx, p)
			}
			return w, err
		})},
		{"a writer that accepted nothing makes an empty file", []string{"suspend/nothing-accepted", "suspend/empty-writes"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.close = func() error {
				if _, err := good.Stat(background, p); err != nil && w.FileWriter.Size() == 0 {
					_ = good.PutContent(background, p, nil)
				}
				return w.FileWriter.Close()
			}
		})},
		{"a resumed writer that accepted nothing ends the upload", []string{"append/nothing-accepted", "suspend/status-of-resumed", "suspend/status-many"}, rewrite(func(w writer, _ driver, _ string, append bool) {
			before := w.FileWriter.Size()
			w.close = func() error {
				if append && before > 0 && w.FileWriter.Size() == before {
					return w.FileWriter.Cancel(background)
				}
				return w.FileWriter.Close()
			}
		})},
		{"opening without append discards nothing until a byte comes", []string{"suspend/discarded-by-opening", "suspend/discarded-keeps-committed"}, func(d *broken, good storagedriver.StorageDriver) {
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				resumed, err := good.Writer(ctx, p, true)
				if append || err != nil || resumed.Size() == 0 {
					if err != nil || !append {
						return good.Writer(ctx, p, append)
					}
					return resumed, err
				}
				w := &brokenWriter{FileWriter: resumed, size: func() int64 { return 0 }}
				w.write = func(b []byte) (int, error) {
					fresh, err := good.Writer(ctx, p, false)
					if err != nil {
						return 0, err
					}
					*w = brokenWriter{FileWriter: fresh}
					return fresh.Write(b)
				}
				return w, nil
			}
		}},
		{"the next upload after a Commit goes on with the last", []string{"write/commit-then-anew", "stream/replaces"}, rewrite(func(w writer, good driver, p string, append bool) {
			if content, err := good.GetContent(background, p); err == nil && !append {
				_, _ = w.FileWriter.Write(content)
			}
		})},
	}
}
