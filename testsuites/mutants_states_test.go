package testsuites_test

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// rewrite makes writers wrong, as wrapWriters does.
func rewrite(f func(w *brokenWriter, good storagedriver.StorageDriver, p string, append bool)) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		wrapWriters(d, good, func(w *brokenWriter, p string, append bool) { f(w, good, p, append) })
	}
}

// stateMutants are wrong in what a writer does when it is closed, committed, or used afterwards.
func stateMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	background := context.Background()
	return []mutant{
		{"what is written is visible at once", []string{"write/commit-makes-visible", "write/large-invisible", "write/committed-untouched"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.write = func(b []byte) (int, error) {
				_ = good.PutContent(background, p, b)
				return w.FileWriter.Write(b)
			}
		})},
		{"Close commits", []string{"write/commit-makes-visible", "append/small", "suspend/second-driver"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			over := false
			w.commit = func(ctx context.Context) error { over = true; return w.FileWriter.Commit(ctx) }
			w.close = func() error {
				if !over && w.FileWriter.Size() > 0 {
					_ = w.FileWriter.Commit(background)
				}
				return w.FileWriter.Close()
			}
		})},
		{"Close discards", []string{"append/small", "suspend/second-driver", "suspend/first-driver-closed"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.close = func() error { return w.FileWriter.Cancel(background) }
		})},
		{"Close after Commit deletes", []string{"write/close-after-commit", "stream/one-byte"}, rewrite(func(w writer, good driver, p string, _ bool) {
			over := false
			w.commit = func(ctx context.Context) error { over = true; return w.FileWriter.Commit(ctx) }
			w.close = func() error {
				if over {
					_ = good.Delete(background, p)
				}
				return w.FileWriter.Close()
			}
		})},
		{"a third Close fails", []string{"write/close-three-times"}, rewrite(func(w writer, good driver, p string, _ bool) {
			closed := 0
			w.close = func() error {
				if closed++; closed == 3 {
					return storagedriver.WrapError("Close", good.Name(), p, storagedriver.NewError(storagedriver.KindClosed, "closed already"))
				}
				return w.FileWriter.Close()
			}
		})},
		{"a second Commit succeeds", []string{"write/use-after-commit", "errors/writer"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			over := false
			w.commit = func(ctx context.Context) error {
				if over {
					return nil
				}
				err := w.FileWriter.Commit(ctx)
				over = err == nil
				return err
			}
		})},
		{"Write after Close and Commit is accepted", []string{"write/use-after-close", "write/use-after-commit", "cancel/use-after"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.write = func(b []byte) (int, error) {
				if n, err := w.FileWriter.Write(b); storagedriver.KindOf(err) != storagedriver.KindClosed {
					return n, err
				}
				return len(b), nil
			}
		})},
		{"Commit after Close commits", []string{"write/use-after-close"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				if storagedriver.KindOf(err) != storagedriver.KindClosed {
					return err
				}
				again, err := good.Writer(ctx, p, true)
				if err != nil {
					return err
				}
				defer again.Close()
				return again.Commit(ctx)
			}
		})},
		{"Size counts whole KiB", []string{"write/size-exact", "write/size-odd-writes", "append/small"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.size = func() int64 { return w.FileWriter.Size() &^ 1023 }
		})},
		{"Size counts what is not accepted", []string{"write/use-after-close", "write/use-after-commit", "budget/waiting"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			more := int64(0)
			w.write = func(b []byte) (int, error) {
				n, err := w.FileWriter.Write(b)
				more += int64(len(b) - n)
				return n, err
			}
			w.size = func() int64 { return w.FileWriter.Size() + more }
		})},
		{"Size after a resume begins with 0", []string{"append/small", "write/size-odd-writes", "suspend/status-of-resumed"}, rewrite(func(w writer, _ driver, _ string, append bool) {
			before := w.FileWriter.Size()
			w.size = func() int64 { return w.FileWriter.Size() - before }
		})},
		{"Size grows with each Close", []string{"write/close-three-times", "write/close-idempotent"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			closed := int64(0)
			w.close = func() error { closed++; return w.FileWriter.Close() }
			w.size = func() int64 { return w.FileWriter.Size() + max(0, closed-1) }
		})},
		{"an empty Write is an error", []string{"write/no-bytes", "suspend/empty-writes"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.write = func(b []byte) (int, error) {
				if len(b) == 0 {
					return 0, storagedriver.WrapError("Write", good.Name(), p, storagedriver.NewError(storagedriver.KindInvalidArgument, "nothing was given"))
				}
				return w.FileWriter.Write(b)
			}
		})},
		{"the last byte of an upload is not committed", []string{"stream/one-byte", "stream/large", "stream/part-boundaries"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			var last []byte
			w.write = func(b []byte) (int, error) {
				if len(b) == 0 {
					return 0, nil
				}
				_, _ = w.FileWriter.Write(last)
				last = b[len(b)-1:]
				n, err := w.FileWriter.Write(b[:len(b)-1])
				return n + 1, err
			}
		})},
		{"Commit removes the old content first", []string{"write/commit-atomic"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				content, err := good.GetContent(ctx, p)
				if err == nil {
					_ = good.PutContent(ctx, p, content[:len(content)/2])
					step(ctx)
				}
				return w.FileWriter.Commit(ctx)
			}
		})},
		{"Commit keeps the end of longer content", []string{"stream/replaces"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				old, _ := good.GetContent(ctx, p)
				err := w.FileWriter.Commit(ctx)
				if content, at := good.GetContent(ctx, p); err == nil && at == nil && len(old) > len(content) {
					_ = good.PutContent(ctx, p, append(content, old[len(content):]...))
				}
				return err
			}
		})},
		{"a Commit of nothing makes no file", []string{"stream/empty", "append/zero-byte-upload", "list/empty-file"}, rewrite(func(w writer, _ driver, _ string, _ bool) {
			w.commit = func(ctx context.Context) error {
				if w.FileWriter.Size() == 0 {
					return w.FileWriter.Close()
				}
				return w.FileWriter.Commit(ctx)
			}
		})},
	}
}
