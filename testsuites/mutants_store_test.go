package testsuites_test

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// reput has PutContent store what f makes of the content.
func reput(f func(ctx context.Context, good storagedriver.StorageDriver, p string, content []byte) []byte) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.putContent = func(ctx context.Context, p string, content []byte) error {
			return good.PutContent(ctx, p, f(ctx, good, p, content))
		}
	}
}

// restat has Stat say what f says, where it is not nil.
func restat(f func(ctx context.Context, good storagedriver.StorageDriver, p string) storagedriver.FileInfo) func(d *broken, good storagedriver.StorageDriver) {
	return func(d *broken, good storagedriver.StorageDriver) {
		d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
			if info := f(ctx, good, p); info != nil {
				return info, nil
			}
			return good.Stat(ctx, p)
		}
	}
}

func storeMutants() []mutant {
	return []mutant{
		{"PutContent does not shorten", []string{"content/truncates", "content/put-repeated"}, reput(func(ctx context.Context, good storagedriver.StorageDriver, p string, content []byte) []byte {
			if old, err := good.GetContent(ctx, p); err == nil && len(old) > len(content) {
				return append(bytes.Clone(content), old[len(content):]...)
			}
			return content
		})},
		{"PutContent replaces what is no UTF-8", []string{"content/not-utf8", "content/every-byte", "content/32-bytes"}, reput(func(_ context.Context, _ storagedriver.StorageDriver, _ string, content []byte) []byte {
			return bytes.ToValidUTF8(content, []byte("?"))
		})},
		{"PutContent ends at a zero byte", []string{"content/every-byte", "content/1-mib"}, reput(func(_ context.Context, _ storagedriver.StorageDriver, _ string, content []byte) []byte {
			before, _, _ := bytes.Cut(content, []byte{0})
			return before
		})},
		{"PutContent of nothing does nothing", []string{"content/empty", "append/zero-byte-content", "list/empty-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				if len(content) == 0 {
					return nil
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"PutContent keeps the bytes it was given", []string{"content/caller-keeps-buffers"}, func(d *broken, good storagedriver.StorageDriver) {
			var kept sync.Map
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				kept.Store(p, content)
				return good.PutContent(ctx, p, content)
			}
			d.getContent = func(ctx context.Context, p string) ([]byte, error) {
				if content, ok := kept.Load(p); ok {
					return content.([]byte), nil
				}
				return good.GetContent(ctx, p)
			}
		}},
		{"puts to one path at the same time mix", []string{"concurrent/puts-one-path", "concurrent/large-puts-one-path"}, func(d *broken, good storagedriver.StorageDriver) {
			var mu sync.Mutex
			last := map[string][]byte{}
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				mu.Lock()
				other := last[p]
				last[p] = content
				mu.Unlock()
				if len(other) > len(content)/2 && len(other) != len(content) {
					content = append(bytes.Clone(content[:len(content)/2]), other[len(content)/2:]...)
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"names lose their case", []string{"list/sorted", "paths/valid"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				return good.PutContent(ctx, strings.ToLower(p), content)
			}
		}},
		{"long paths are refused", []string{"paths/long"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				if len(p) > 255 {
					return storagedriver.WrapError("PutContent", good.Name(), p, storagedriver.NewError(storagedriver.KindInvalidPath, "too long"))
				}
				return good.PutContent(ctx, p, content)
			}
		}},
		{"paths that are too long are cut", []string{"paths/too-long"}, func(d *broken, good storagedriver.StorageDriver) {
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				return good.PutContent(ctx, p[:min(len(p), storagedriver.MaxPath)], content)
			}
		}},
		{"Stat answers what it answered before", []string{"stat/after-overwrite", "content/truncates"}, func(d *broken, good storagedriver.StorageDriver) {
			var before sync.Map
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				if info, ok := before.Load(p); ok {
					return info.(storagedriver.FileInfo), nil
				}
				info, err := good.Stat(ctx, p)
				if err == nil {
					before.Store(p, info)
				}
				return info, err
			}
		}},
		{"Stat of nothing is an empty file", []string{"stat/missing", "stat/prefix-siblings", "stat/under-file", "delete/file", "delete/file-and-directory"}, func(d *broken, good storagedriver.StorageDriver) {
			d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
				info, err := good.Stat(ctx, p)
				if storagedriver.KindOf(err) == storagedriver.KindNotFound {
					return storagedriver.NewFileInfo(p, storagedriver.Entry{}), nil
				}
				return info, err
			}
		}},
		{"Stat says the name instead of the path", []string{"stat/file", "stat/directory"}, restat(func(ctx context.Context, good storagedriver.StorageDriver, p string) storagedriver.FileInfo {
			info, err := good.Stat(ctx, p)
			if err != nil {
				return nil
			}
			return storagedriver.NewFileInfo(p[strings.LastIndexByte(p, '/'):], storagedriver.Entry{Size: info.Size(), ModTime: info.ModTime(), Dir: info.IsDir()})
		})},
		{"Stat takes a directory for a file", []string{"stat/directory", "driver/root-exists"}, restat(func(ctx context.Context, good storagedriver.StorageDriver, p string) storagedriver.FileInfo {
			if info, err := good.Stat(ctx, p); err == nil && info.IsDir() {
				return storagedriver.NewFileInfo(p, storagedriver.Entry{})
			}
			return nil
		})},
		{"the time of a file goes back when it is written again", []string{"stat/modtime"}, func(d *broken, good storagedriver.StorageDriver) {
			writes := 0
			d.putContent = func(ctx context.Context, p string, content []byte) error {
				writes++
				return good.PutContent(ctx, p, content)
			}
			restat(func(ctx context.Context, good storagedriver.StorageDriver, p string) storagedriver.FileInfo {
				info, err := good.Stat(ctx, p)
				if err != nil || info.IsDir() {
					return nil
				}
				return storagedriver.NewFileInfo(p, storagedriver.Entry{Size: info.Size(), ModTime: info.ModTime().AddDate(0, 0, -writes)})
			})(d, good)
		}},
		{"Delete of a missing path succeeds", []string{"delete/missing", "errors/not-found", "delete/under-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				if err := good.Delete(ctx, p); storagedriver.KindOf(err) != storagedriver.KindNotFound {
					return err
				}
				return nil
			}
		}},
		{"Delete below a file deletes the file", []string{"delete/under-file"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				dir, _ := storagedriver.ParentPath(p)
				if info, err := good.Stat(ctx, dir); err == nil && !info.IsDir() {
					_ = good.Delete(ctx, dir)
				}
				return good.Delete(ctx, p)
			}
		}},
		{"Delete removes a thousand children and no more", []string{"delete/many"}, func(d *broken, good storagedriver.StorageDriver) {
			d.remove = func(ctx context.Context, p string) error {
				names, err := good.List(ctx, p+"/m")
				if err != nil || len(names) <= 1000 {
					return good.Delete(ctx, p)
				}
				for _, name := range names[:1000] {
					if err := good.Delete(ctx, name); err != nil {
						return err
					}
				}
				return nil
			}
		}},
	}
}
