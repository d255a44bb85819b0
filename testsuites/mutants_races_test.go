package testsuites_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// together are the bytes that all writers of a path were given.
type together struct {
	mu    sync.Mutex
	bytes map[string]*bytes.Buffer
}

func (t *together) of(p string) *bytes.Buffer {
	if t.bytes == nil {
		t.bytes = map[string]*bytes.Buffer{}
	}
	if t.bytes[p] == nil {
		t.bytes[p] = &bytes.Buffer{}
	}
	return t.bytes[p]
}

// raceMutants are wrong in what several writers of one upload do to each other.
func raceMutants() []mutant {
	type writer = *brokenWriter
	type driver = storagedriver.StorageDriver
	conflict := func(op string, good driver, p string) error {
		return storagedriver.WrapError(op, good.Name(), p, storagedriver.NewError(storagedriver.KindConflict, "another writer was there"))
	}
	var tried sync.Map
	return []mutant{
		{"uploads to one path share what was written", []string{"race/two-fresh-uploads", "concurrent/uploads-one-path"}, func(d *broken, good storagedriver.StorageDriver) {
			var all together
			wrapWriters(d, good, func(w *brokenWriter, p string, append bool) {
				w.write = func(b []byte) (int, error) {
					all.mu.Lock()
					all.of(p).Write(b)
					all.mu.Unlock()
					return w.FileWriter.Write(b)
				}
				w.commit = func(ctx context.Context) error {
					if err := w.FileWriter.Commit(ctx); err != nil || append {
						return err
					}
					all.mu.Lock()
					defer all.mu.Unlock()
					return good.PutContent(ctx, p, all.of(p).Bytes())
				}
			})
		}},
		{"of several writers of an upload none commits", []string{"race/two-resumed", "race/two-drivers", "race/commits-at-once"}, rewrite(func(w writer, good driver, p string, append bool) {
			before := w.FileWriter.Size()
			if append && before > 0 {
				if n, again := tried.LoadOrStore(p, 1); again {
					tried.Store(p, n.(int)+1)
				}
			}
			w.commit = func(ctx context.Context) error {
				if n, ok := tried.Load(p); ok && n.(int) > 1 {
					return conflict("Commit", good, p)
				}
				return w.FileWriter.Commit(ctx)
			}
		})},
		{"a stale Commit adds its bytes to the other's", []string{"race/stale-commit"}, rewrite(func(w writer, good driver, p string, append bool) {
			var own []byte
			w.write = func(b []byte) (int, error) {
				n, err := w.FileWriter.Write(b)
				own = bytes.Join([][]byte{own, b[:n]}, nil)
				return n, err
			}
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				if storagedriver.KindOf(err) != storagedriver.KindConflict {
					return err
				}
				_ = w.FileWriter.Close()
				again, err := good.Writer(ctx, p, true)
				if err != nil {
					return err
				}
				defer again.Close()
				_, _ = again.Write(own)
				return again.Commit(ctx)
			}
		})},
		{"a stale Commit removes the other's upload", []string{"race/stale-commit"}, rewrite(func(w writer, good driver, p string, _ bool) {
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				if storagedriver.KindOf(err) == storagedriver.KindConflict {
					discard(good, p)
				}
				return err
			}
		})},
		{"a stale suspend adds its bytes to the other's", []string{"race/stale-suspend"}, rewrite(func(w writer, good driver, p string, _ bool) {
			var own []byte
			w.write = func(b []byte) (int, error) {
				n, err := w.FileWriter.Write(b)
				own = bytes.Join([][]byte{own, b[:n]}, nil)
				return n, err
			}
			w.close = func() error {
				err := w.FileWriter.Close()
				if storagedriver.KindOf(err) == storagedriver.KindConflict && err != nil {
					if again, at := good.Writer(context.Background(), p, true); at == nil {
						_, _ = again.Write(own)
						_ = again.Close()
					}
				}
				return err
			}
		})},
		{"a stale Close removes what another has committed", []string{"race/stale-after-commit"}, rewrite(func(w writer, good driver, p string, append bool) {
			over := false
			w.commit = func(ctx context.Context) error {
				err := w.FileWriter.Commit(ctx)
				over = over || err == nil
				return err
			}
			w.close = func() error {
				if append && !over {
					_ = good.Delete(context.Background(), p)
				}
				return w.FileWriter.Close()
			}
		})},
		{"a stale Cancel leaves half of the other's upload", []string{"race/stale-cancel"}, rewrite(func(w writer, good driver, p string, append bool) {
			cut := false
			w.cancel = func(ctx context.Context) error {
				cut = true
				tried.Store("cut "+p, true)
				return w.FileWriter.Cancel(ctx)
			}
			w.commit = func(ctx context.Context) error {
				if _, was := tried.Load("cut " + p); was && !cut && append {
					return good.PutContent(ctx, p, make([]byte, w.FileWriter.Size()/2))
				}
				return w.FileWriter.Commit(ctx)
			}
		})},
		{"two uploads in one directory swap their content", []string{"write/several-at-once", "suspend/each-its-own", "concurrent/uploads"}, func(d *broken, good storagedriver.StorageDriver) {
			var mu sync.Mutex
			var before string
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				w.commit = func(ctx context.Context) error {
					if err := w.FileWriter.Commit(ctx); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					if a, err := good.GetContent(ctx, before); err == nil && before != p {
						b, _ := good.GetContent(ctx, p)
						_ = good.PutContent(ctx, before, b)
						_ = good.PutContent(ctx, p, a)
					}
					before = p
					return nil
				}
			})
		}},
	}
}
