package filesystem

import (
	"context"
	"io"
	"io/fs"
	"os"

	"github.com/berth-dev/storagedriver"
)

// Read implements Backend. The body goes on reading what it opened, whatever is stored at
// path meanwhile.
func (d *Driver) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	f, info, err := d.open(ctx, path)
	if err != nil {
		return nil, 0, err
	}
	if offset < 0 || offset > info.Size() {
		_ = f.Close()
		return nil, 0, storagedriver.Errorf(storagedriver.KindInvalidOffset, "offset %d of an object of %d bytes", offset, info.Size())
	}
	promise := info.Size() - offset
	if length >= 0 {
		promise = min(promise, length)
	}
	return &body{ctx: ctx, f: f, offset: offset, end: offset + promise}, promise, nil
}

// open opens the regular file at path for reading. The caller closes it.
func (d *Driver) open(ctx context.Context, path string) (*os.File, fs.FileInfo, error) {
	if err := d.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer d.leave()
	f, err := d.root.OpenFile(rel(path), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, classify(err, reading)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		return f, info, nil
	}
	_ = f.Close()
	if err == nil {
		err = notFound()
	}
	return nil, nil, classify(err, reading)
}

// body is an open reader. It belongs to one goroutine at a time.
type body struct {
	ctx         context.Context
	f           *os.File
	offset, end int64
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.offset == b.end {
		return 0, io.EOF
	}
	n, err := b.f.ReadAt(p[:min(int64(len(p)), b.end-b.offset)], b.offset)
	b.offset += int64(n)
	switch {
	case n > 0:
		return n, nil // an error comes again
	case err == io.EOF:
		return 0, storagedriver.Errorf(storagedriver.KindCorrupt, "the file became shorter: %d bytes are missing", b.end-b.offset)
	}
	return 0, classify(err, reading)
}

func (b *body) Close() error { return classify(b.f.Close(), reading) }
