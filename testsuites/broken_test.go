package testsuites_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// broken is a driver that is right in all but what the functions set here replace.
type broken struct {
	storagedriver.StorageDriver
	getContent func(ctx context.Context, path string) ([]byte, error)
	putContent func(ctx context.Context, path string, content []byte) error
	reader     func(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	writer     func(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error)
	stat       func(ctx context.Context, path string) (storagedriver.FileInfo, error)
	list       func(ctx context.Context, path string) ([]string, error)
	move       func(ctx context.Context, source, dest string) error
	remove     func(ctx context.Context, path string) error
	walk       func(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error
}

func (b *broken) GetContent(ctx context.Context, path string) ([]byte, error) {
	if b.getContent != nil {
		return b.getContent(ctx, path)
	}
	return b.StorageDriver.GetContent(ctx, path)
}

func (b *broken) PutContent(ctx context.Context, path string, content []byte) error {
	if b.putContent != nil {
		return b.putContent(ctx, path, content)
	}
	return b.StorageDriver.PutContent(ctx, path, content)
}

func (b *broken) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if b.reader != nil {
		return b.reader(ctx, path, offset)
	}
	return b.StorageDriver.Reader(ctx, path, offset)
}

func (b *broken) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	if b.writer != nil {
		return b.writer(ctx, path, append)
	}
	return b.StorageDriver.Writer(ctx, path, append)
}

func (b *broken) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	if b.stat != nil {
		return b.stat(ctx, path)
	}
	return b.StorageDriver.Stat(ctx, path)
}

func (b *broken) List(ctx context.Context, path string) ([]string, error) {
	if b.list != nil {
		return b.list(ctx, path)
	}
	return b.StorageDriver.List(ctx, path)
}

func (b *broken) Move(ctx context.Context, source, dest string) error {
	if b.move != nil {
		return b.move(ctx, source, dest)
	}
	return b.StorageDriver.Move(ctx, source, dest)
}

func (b *broken) Delete(ctx context.Context, path string) error {
	if b.remove != nil {
		return b.remove(ctx, path)
	}
	return b.StorageDriver.Delete(ctx, path)
}

func (b *broken) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	if b.walk != nil {
		return b.walk(ctx, path, f, options...)
	}
	return b.StorageDriver.Walk(ctx, path, f, options...)
}

// brokenWriter is a writer that is right in all but what the functions set here replace.
type brokenWriter struct {
	storagedriver.FileWriter
	write  func(p []byte) (int, error)
	size   func() int64
	close  func() error
	commit func(ctx context.Context) error
	cancel func(ctx context.Context) error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.write != nil {
		return w.write(p)
	}
	return w.FileWriter.Write(p)
}

func (w *brokenWriter) Size() int64 {
	if w.size != nil {
		return w.size()
	}
	return w.FileWriter.Size()
}

func (w *brokenWriter) Close() error {
	if w.close != nil {
		return w.close()
	}
	return w.FileWriter.Close()
}

func (w *brokenWriter) Commit(ctx context.Context) error {
	if w.commit != nil {
		return w.commit(ctx)
	}
	return w.FileWriter.Commit(ctx)
}

func (w *brokenWriter) Cancel(ctx context.Context) error {
	if w.cancel != nil {
		return w.cancel(ctx)
	}
	return w.FileWriter.Cancel(ctx)
}

// fault is a way of being wrong, with the cases that must see it.
type fault struct {
	name   string
	caught []string
	// inject makes d wrong. good is what d is but for that.
	inject func(d *broken, good storagedriver.StorageDriver)
}

func faults() []fault {
	return slices.Concat(contentFaults(), treeFaults(), walkFaults(), errorFaults(), writerFaults(), uploadFaults())
}

func contentFaults() []fault {
	return []fault{
		{"readers lose the last byte", []string{"content/32-bytes", "stream/1-mib", "reader/offsets", "append/large"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				info, err := good.Stat(ctx, p)
				if err != nil {
					return nil, err
				}
				r, err := good.Reader(ctx, p, offset)
				if err != nil {
					return nil, err
				}
				return struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r, info.Size()-offset-1), r}, nil
			}
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				content, err := good.GetContent(ctx, p)
				return content[:max(0, len(content)-1)], err
			}
		}},
		{"readers outlive their context", []string{"reader/context-governs"}, func(d *broken, good storagedriver.StorageDriver) {
			d.reader = func(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
				return good.Reader(context.WithoutCancel(ctx), p, offset)
			}
		}},
		{"a put shows its first half", []string{"content/atomic-for-readers"}, func(d *broken, good storagedriver.StorageDriver) {
			read := make(chan struct{}, 1)
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				content, err := good.GetContent(ctx, p)
				select {
				case read <- struct{}{}:
				default:
				}
				return content, err
			}
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				if err := good.PutContent(ctx, p, content[:len(content)/2]); err != nil {
					return err
				}
				for range 2 { // the first may have been read before
					select {
					case <-read:
					case <-time.After(50 * time.Millisecond): // nobody reads
					}
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"a put under an ended context takes effect", []string{"context/ended-changes"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				return errors.Join(ctx.Err(), good.PutContent(context.WithoutCancel(ctx), p, content))
			}
		}},
		{"Stat counts a byte too many", []string{"stat/file", "content/one-byte"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if err != nil || info.IsDir() {
					return info, err
				}
				return storagedriver.NewFileInfo(p, storagedriver.Entry{Size: info.Size() + 1, ModTime: info.ModTime()}), nil
			}
		}},
	}
}

func treeFaults() []fault {
	return []fault{
		{"Delete goes by prefix", []string{"delete/only-subpaths"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				err := good.Delete(ctx, p)
				dir, _ := storagedriver.ParentPath(p)
				siblings, _ := good.List(ctx, dir)
				for _, s := range siblings {
					if strings.HasPrefix(s, p) {
						_ = good.Delete(ctx, s)
					}
				}
				return err
			}
		}},
		{"List answers what it answered before", []string{"list/up-to-date"}, func(d *broken, good storagedriver.StorageDriver) {
			var mu sync.Mutex
			before := map[string][]string{}
			d.list = func(ctx context.Context, p string) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				if names, ok := before[p]; ok {
					return names, nil
				}
				names, err := good.List(ctx, p)
				if err == nil {
					before[p] = names
				}
				return names, err
			}
		}},
		{"List ends with its first page", []string{"list/many"}, func(d *broken, good storagedriver.StorageDriver) {
			d.list = func(ctx context.Context, p string) ([]string, error) {
				names, err := good.List(ctx, p)
				return names[:min(1000, len(names))], err
			}
		}},
		{"Move copies", []string{"move/file", "move/overwrites"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				content, err := good.GetContent(ctx, source)
				if err != nil {
					return good.Move(ctx, source, dest)
				}
				return good.PutContent(ctx, dest, content)
			}
		}},
		{"Move to itself deletes", []string{"move/onto-itself"}, func(d *broken, good storagedriver.StorageDriver) {
			d.move = func(ctx context.Context, source, dest string) error {
				if source == dest {
					return good.Delete(ctx, source)
				}
				return good.Move(ctx, source, dest)
			}
		}},
		{"Delete leaves suspended uploads", []string{"ending/delete-path"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				var size int64
				if w, err := good.Writer(ctx, p, true); err == nil {
					size = w.Size()
					_ = w.Close()
				}
				err := good.Delete(ctx, p)
				if size > 0 && err == nil {
					w, _ := good.Writer(ctx, p, false)
					_, _ = w.Write(make([]byte, size))
					_ = w.Close()
				}
				return err
			}
		}},
		{"private names are taken", []string{"paths/private"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				return good.PutContent(ctx, strings.ReplaceAll(p, "~", "_"), content)
			}
		}},
		{"paths are cleaned instead of refused", []string{"paths/dot-components", "paths/malformed"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				return good.GetContent(ctx, path.Clean("/"+p))
			}
		}},
	}
}

func walkFaults() []fault {
	return []fault{
		{"Walk sorts directories as files", []string{"walk/order"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var infos []storagedriver.FileInfo
				err := good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					infos = append(infos, info)
					return nil
				}, options...)
				slices.SortFunc(infos, func(a, b storagedriver.FileInfo) int { return strings.Compare(a.Path(), b.Path()) })
				for _, info := range infos {
					if err := f(info); err != nil {
						return err
					}
				}
				return err
			}
		}},
		{"Walk leaves out what is below the hint", []string{"walk/start-after"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var o storagedriver.WalkOptions
				for _, option := range options {
					option(&o)
				}
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					if storagedriver.IsBelow(info.Path(), o.StartAfterHint) && o.StartAfterHint != "" {
						return nil
					}
					return f(info)
				}, options...)
			}
		}},
		{"Walk wraps the caller's error", []string{"walk/error-identity"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				return storagedriver.WrapError("Walk", good.Name(), p, good.Walk(ctx, p, f, options...))
			}
		}},
		{"ErrSkipDir for a file ends its directory", []string{"walk/skip-dir-of-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var left string
				return good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					if left != "" && storagedriver.IsBelow(info.Path(), left) {
						return nil
					}
					err := f(info)
					if err == storagedriver.ErrSkipDir && !info.IsDir() {
						left, _ = storagedriver.ParentPath(info.Path())
					}
					return err
				}, options...)
			}
		}},
		{"Walk calls from several goroutines", []string{"walk/serial"}, func(d *broken, good storagedriver.StorageDriver) {
			d.walk = func(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
				var infos []storagedriver.FileInfo
				err := good.Walk(ctx, p, func(info storagedriver.FileInfo) error {
					infos = append(infos, info)
					return nil
				}, options...)
				var group sync.WaitGroup
				errs := make([]error, len(infos))
				for i, info := range infos {
					group.Go(func() { errs[i] = f(info) })
				}
				group.Wait()
				return errors.Join(append(errs, err)...)
			}
		}},
	}
}

func errorFaults() []fault {
	return []fault{
		{"errors are not classified", []string{"errors/not-found", "content/get-missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				content, err := good.GetContent(ctx, p)
				if err != nil {
					return nil, errors.New(err.Error())
				}
				return content, nil
			}
		}},
		{"errors do not say the path", []string{"errors/not-found", "stat/missing"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if err != nil {
					return nil, storagedriver.WrapError("Stat", good.Name(), "", storagedriver.NewError(storagedriver.KindOf(err), "wrong"))
				}
				return info, nil
			}
		}},
		{"errors are wrapped once more", []string{"errors/not-found"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if err != nil {
					return nil, fmt.Errorf("stat: %w", err)
				}
				return info, nil
			}
		}},
		{"Stat panics", []string{"stat/file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(context.Context, string) (storagedriver.FileInfo, error) { panic("on purpose") }
		}},
	}
}
