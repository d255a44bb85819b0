package testsuites_test

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/berth-dev/storagedriver"
)

func contentMutants() []mutant {
	return []mutant{
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
