package testsuites_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

// cutSource is the beginning of a body.
type cutSource struct {
	storagedriver.Source
	size int64
}

func (c cutSource) Size() int64 { return c.size }

func (c cutSource) Open(ctx context.Context) (io.ReadCloser, error) {
	body, err := c.Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, c.size), body}, nil
}

func backendMutants() []backendMutant {
	return slices.Concat(backendContentMutants(), backendTreeMutants())
}

func backendContentMutants() []backendMutant {
	return []backendMutant{
		{"Put loses the last byte", []string{"content/32-bytes", "stream/one-byte", "append/small"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.put = func(ctx context.Context, p string, body storagedriver.Source) error {
				return good.Put(ctx, p, cutSource{body, max(0, body.Size()-1)})
			}
		}},
		{"Put stores 1 MiB at most", []string{"reader/offsets", "context/mid-put", "concurrent/large-puts-one-path"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.put = func(ctx context.Context, p string, body storagedriver.Source) error {
				return good.Put(ctx, p, cutSource{body, min(1<<20, body.Size())})
			}
		}},
		{"Put keeps an old file of the same length", []string{"content/put-repeated"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.put = func(ctx context.Context, p string, body storagedriver.Source) error {
				if old, err := good.Stat(ctx, p); err == nil && old.Size == body.Size() && old.Size > 0 {
					return nil
				}
				return good.Put(ctx, p, body)
			}
		}},
		{"Read ends early and promises as much", []string{"stream/1-mib", "reader/offsets"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.read = func(ctx context.Context, p string, offset, _ int64) (io.ReadCloser, int64, error) {
				return good.Read(ctx, p, offset, 64<<10)
			}
		}},
		{"Read ends before its promise", []string{"content/one-byte", "stream/large"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.read = func(ctx context.Context, p string, offset, length int64) (io.ReadCloser, int64, error) {
				r, n, err := good.Read(ctx, p, offset, length)
				if err != nil {
					return nil, 0, err
				}
				return cutBody(r, max(0, n-1)), n, nil
			}
		}},
		{"Read rounds its offset down", []string{"reader/offsets", "reader/last-byte"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.read = func(ctx context.Context, p string, offset, length int64) (io.ReadCloser, int64, error) {
				return good.Read(ctx, p, offset&^15, length)
			}
		}},
		{"two parts are joined in the wrong order", []string{"stream/large", "append/large"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.concat = func(ctx context.Context, dest string, sources []string) error {
				sources = slices.Clone(sources)
				if n := len(sources); n > 1 {
					sources[n-1], sources[n-2] = sources[n-2], sources[n-1]
				}
				return good.Concat(ctx, dest, sources)
			}
		}},
		{"one part is joined twice", []string{"stream/large", "suspend/second-driver-large"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.concat = func(ctx context.Context, dest string, sources []string) error {
				return good.Concat(ctx, dest, append(slices.Clone(sources), sources[0]))
			}
		}},
		{"the last part is not joined", []string{"stream/large", "append/large", "move/large"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.concat = func(ctx context.Context, dest string, sources []string) error {
				return good.Concat(ctx, dest, sources[:max(1, len(sources)-1)])
			}
		}},
		{"state of uploads stays in the process", []string{"suspend/second-driver", "suspend/second-driver-large", "suspend/first-driver-closed"}, func(b *brokenBackend, good storagedriver.Backend) {
			own := inmemory.New()
			of := func(p string) storagedriver.Backend {
				if strings.Contains(p, storagedriver.PrivateMark) {
					return own
				}
				return good
			}
			b.put = func(ctx context.Context, p string, body storagedriver.Source) error { return of(p).Put(ctx, p, body) }
			b.stat = func(ctx context.Context, p string) (storagedriver.Entry, error) { return of(p).Stat(ctx, p) }
			b.list = func(ctx context.Context, p, cursor string, limit int) (storagedriver.Page, error) {
				return of(p).List(ctx, p, cursor, limit)
			}
			b.read = func(ctx context.Context, p string, offset, length int64) (io.ReadCloser, int64, error) {
				return of(p).Read(ctx, p, offset, length)
			}
		}},
	}
}

func cutBody(body io.ReadCloser, n int64) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, n), body}
}

func backendTreeMutants() []backendMutant {
	return []backendMutant{
		{"a page of List begins with the last entry of the one before", []string{"list/many", "walk/many"}, func(b *brokenBackend, good storagedriver.Backend) {
			var lasts sync.Map // of each directory: a Walk lists several at a time
			b.list = func(ctx context.Context, p, cursor string, limit int) (storagedriver.Page, error) {
				page, err := good.List(ctx, p, cursor, limit)
				if err != nil || len(page.Entries) == 0 {
					return page, err
				}
				before, listed := lasts.Swap(p, page.Entries[len(page.Entries)-1])
				if listed && cursor != "" {
					page.Entries = slices.Insert(page.Entries, 0, before.(storagedriver.Entry))
				}
				return page, nil
			}
		}},
		{"a page of List loses its first entry", []string{"list/many", "walk/many", "move/many"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.list = func(ctx context.Context, p, cursor string, limit int) (storagedriver.Page, error) {
				page, err := good.List(ctx, p, cursor, limit)
				if cursor != "" && len(page.Entries) > 0 {
					page.Entries = page.Entries[1:]
				}
				return page, err
			}
			b.move = func(context.Context, string, string) error {
				return storagedriver.NewError(storagedriver.KindUnsupported, "moves are for files alone")
			}
		}},
		{"List leaves out empty files", []string{"list/empty-file"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.list = func(ctx context.Context, p, cursor string, limit int) (storagedriver.Page, error) {
				page, err := good.List(ctx, p, cursor, limit)
				page.Entries = slices.DeleteFunc(page.Entries, func(e storagedriver.Entry) bool { return !e.Dir && e.Size == 0 })
				return page, err
			}
		}},
		{"List says another size than Stat", []string{"walk/infos"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.list = func(ctx context.Context, p, cursor string, limit int) (storagedriver.Page, error) {
				page, err := good.List(ctx, p, cursor, limit)
				for i := range page.Entries {
					page.Entries[i].Size++
				}
				return page, err
			}
		}},
		{"Stat says an earlier time each time it is asked", []string{"stat/modtime"}, func(b *brokenBackend, good storagedriver.Backend) {
			back := time.Duration(0)
			b.stat = func(ctx context.Context, p string) (storagedriver.Entry, error) {
				e, err := good.Stat(ctx, p)
				back += time.Hour
				e.ModTime = e.ModTime.Add(-back)
				return e, err
			}
		}},
		{"Stat finds a directory wherever a name begins so", []string{"stat/prefix-siblings"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.stat = func(ctx context.Context, p string) (storagedriver.Entry, error) {
				e, err := good.Stat(ctx, p)
				if storagedriver.KindOf(err) != storagedriver.KindNotFound {
					return e, err
				}
				dir, name := storagedriver.ParentPath(p)
				page, _ := good.List(ctx, dir, "", 1000)
				for _, sibling := range page.Entries {
					if strings.HasPrefix(sibling.Name, name) {
						return storagedriver.Entry{Dir: true}, nil
					}
				}
				return e, err
			}
		}},
		{"DeleteTree removes direct children only", []string{"delete/directory", "context/mid-delete"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.deleteTree = func(ctx context.Context, p string) error {
				page, err := good.List(ctx, p, "", 1000)
				if err != nil {
					return good.DeleteTree(ctx, p)
				}
				for _, e := range page.Entries {
					if !e.Dir {
						err = good.Delete(ctx, storagedriver.JoinPath(p, e.Name))
					}
				}
				return err
			}
		}},
		{"Move of a directory takes its first page", []string{"move/many"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.move = func(ctx context.Context, source, dest string) error {
				page, err := good.List(ctx, source+"/m", "", 1000)
				if err != nil || page.Cursor == "" {
					return good.Move(ctx, source, dest)
				}
				for _, e := range page.Entries {
					if err := good.Move(ctx, source+"/m/"+e.Name, dest+"/m/"+e.Name); err != nil {
						return err
					}
				}
				return nil
			}
		}},
		{"Move copies", []string{"move/file", "move/large", "concurrent/moves"}, func(b *brokenBackend, good storagedriver.Backend) {
			b.move = func(ctx context.Context, source, dest string) error {
				if at, err := good.Stat(ctx, source); err != nil || at.Dir {
					return good.Move(ctx, source, dest)
				}
				return good.Copy(ctx, source, dest)
			}
		}},
	}
}
