package testsuites_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// driverMutants are wrong in what they say of themselves, and in Close.
func driverMutants() []mutant {
	claims := func(a storagedriver.Ability) func(d *broken, good storagedriver.StorageDriver) {
		return func(d *broken, good storagedriver.StorageDriver) {
			d.abilities = func() storagedriver.Ability { return good.Capabilities().Abilities | a }
		}
	}
	var opened, closed atomic.Int64
	return []mutant{
		{"Name counts the drivers opened", []string{"driver/name"}, func(d *broken, good storagedriver.StorageDriver) {
			name := fmt.Sprintf("%s-%d", good.Name(), opened.Add(1))
			d.name = func() string { return name }
		}},
		{"Capabilities change when something is put", []string{"driver/capabilities-constant"}, func(d *broken, good storagedriver.StorageDriver) {
			var put atomic.Bool
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				put.Store(true)
				return good.PutContent(ctx, p, content)
			}
			d.abilities = func() storagedriver.Ability {
				if put.Load() {
					return 0
				}
				return storagedriver.AbilityCopy
			}
		}},
		{"Capabilities claim redirects", []string{"redirect/get", "redirect/head"}, claims(storagedriver.AbilityRedirect)},
		{"Capabilities claim files under files", []string{"content/under-file", "content/onto-directory", "write/under-file"}, claims(storagedriver.AbilityFilesUnderFiles)},
		{"Capabilities claim append to committed content", []string{"append/committed-content", "append/committed-large", "append/committed-cancelled"}, claims(storagedriver.AbilityAppendCommitted)},
		{"the root is missing while it is empty", []string{"driver/root-exists"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				if names, err := good.List(ctx, "/"); p == "/" && err == nil && len(names) == 0 {
					return nil, storagedriver.WrapError("Stat", good.Name(), p, storagedriver.NewError(storagedriver.KindNotFound, "nothing is there"))
				}
				return good.Stat(ctx, p)
			}
		}},
		{"open readers outlive their driver", []string{"driver/close-fails-open-readers"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				defer r.Close()
				all, err := io.ReadAll(r)
				return io.NopCloser(bytes.NewReader(all)), err
			}
		}},
		{"Close of one driver closes all", []string{"driver/close-leaves-others", "suspend/first-driver-closed"}, func(d *broken, good storagedriver.StorageDriver) {
			d.close = func() error { closed.Add(1); return good.Close() }
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				inner, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				refuse := func() error {
					if closed.Load() == 0 {
						return nil
					}
					return storagedriver.WrapError("Write", good.Name(), p, storagedriver.NewError(storagedriver.KindClosed, "the driver was closed"))
				}
				return &brokenWriter{
					FileWriter: inner,
					write: func(p []byte) (int, error) {
						if err := refuse(); err != nil {
							return 0, err
						}
						return inner.Write(p)
					},
					commit: func(ctx context.Context) error {
						if err := refuse(); err != nil {
							return err
						}
						return inner.Commit(ctx)
					},
				}, nil
			}
		}},
		{"writers fail instead of waiting for memory", []string{"budget/many-writers", "budget/resumed"}, func(d *broken, good storagedriver.StorageDriver) {
			var writing atomic.Int64
			wrapWriters(d, good, func(w *brokenWriter, p string, _ bool) {
				holds := false
				release := func() {
					if holds {
						holds = false
						writing.Add(-1)
					}
				}
				w.write = func(b []byte) (int, error) {
					if !holds && d.budget > 0 {
						holds = true
						n := writing.Add(1)
						for range 10 {
							step(context.Background()) // others come
						}
						if n > 2 {
							return 0, storagedriver.WrapError("Write", good.Name(), p, storagedriver.NewError(storagedriver.KindLimit, "the memory budget is used up"))
						}
					}
					return w.FileWriter.Write(b)
				}
				w.close = func() error { defer release(); return w.FileWriter.Close() }
				w.commit = func(ctx context.Context) error { defer release(); return w.FileWriter.Commit(ctx) }
			})
		}},
		{"writers hold memory from their opening on", []string{"budget/idle-hold-nothing"}, func(d *broken, good storagedriver.StorageDriver) {
			var openWriters atomic.Int64
			d.writer = func(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
				if d.budget > 0 && openWriters.Add(1) > 1 {
					return nil, storagedriver.WrapError("Writer", good.Name(), p, storagedriver.NewError(storagedriver.KindLimit, "the memory budget is used up"))
				}
				inner, err := good.Writer(ctx, p, append)
				if err != nil {
					return nil, err
				}
				return &brokenWriter{FileWriter: inner, close: func() error { openWriters.Add(-1); return inner.Close() }}, nil
			}
		}},
		{"what did not fit the memory at once is lost", []string{"budget/one-part", "budget/many-writers"}, func(d *broken, good storagedriver.StorageDriver) {
			wrapWriters(d, good, func(w *brokenWriter, _ string, _ bool) {
				w.write = func(b []byte) (int, error) {
					if d.budget > 0 && w.FileWriter.Size()+int64(len(b)) > partSize {
						return len(b), nil
					}
					return w.FileWriter.Write(b)
				}
			})
		}},
	}
}

// redirectMutants are wrong in their redirects.
func redirectMutants() []mutant {
	return []mutant{
		{"RedirectURL is of another path", []string{"redirect/get", "redirect/head"}, func(d *broken, good storagedriver.StorageDriver) {
			d.redirect = func(ctx context.Context, p string, options storagedriver.RedirectOptions) (string, error) {
				return good.RedirectURL(ctx, p+"-other", options)
			}
		}},
		{"RedirectURL gives none though it could", []string{"redirect/get", "redirect/head"}, func(d *broken, good storagedriver.StorageDriver) {
			d.redirect = func(context.Context, string, storagedriver.RedirectOptions) (string, error) { return "", nil }
		}},
		{"RedirectURL gives none for HEAD", []string{"redirect/head"}, func(d *broken, good storagedriver.StorageDriver) {
			d.redirect = func(ctx context.Context, p string, options storagedriver.RedirectOptions) (string, error) {
				if options.Method == http.MethodHead {
					return "", nil
				}
				return good.RedirectURL(ctx, p, options)
			}
		}},
		{"RedirectURL of a missing path is of another", []string{"redirect/missing"}, func(d *broken, good storagedriver.StorageDriver) {
			var last atomic.Value
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				last.Store(p)
				return good.PutContent(ctx, p, content)
			}
			d.redirect = func(ctx context.Context, p string, options storagedriver.RedirectOptions) (string, error) {
				if _, err := good.Stat(ctx, p); err != nil {
					p = last.Load().(string)
				}
				return good.RedirectURL(ctx, p, options)
			}
		}},
		{"RedirectURL fails for a missing path with no kind", []string{"redirect/missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.redirect = func(ctx context.Context, p string, options storagedriver.RedirectOptions) (string, error) {
				if _, err := good.Stat(ctx, p); err != nil {
					return "", io.ErrUnexpectedEOF
				}
				return good.RedirectURL(ctx, p, options)
			}
		}},
	}
}
