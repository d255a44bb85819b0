package layers

import (
	"bytes"
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// GetContent implements storagedriver.StorageDriver. Content of more than 128 MiB is
// KindLimit: it is what Reader is for.
func (g *gate) GetContent(ctx context.Context, path string) ([]byte, error) {
	const op = "GetContent"
	if err := g.admit(ctx, op, path); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		body, size, err := g.read(ctx, path, 0)
		if err != nil {
			return nil, g.wrap(ctx, op, path, err)
		}
		content, err := allOf(body, size)
		if storagedriver.KindOf(err) != storagedriver.KindConflict || attempt == contentAttempts || ctx.Err() != nil {
			return content, g.wrap(ctx, op, path, err)
		}
	}
}

// contentAttempts is how often a content is read that is replaced while it is: by a backend whose bodies do not outlive that.
const contentAttempts = 10

// allOf reads a body to its end and closes it.
func allOf(body io.ReadCloser, size int64) ([]byte, error) {
	if size > maxContent {
		_ = body.Close()
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "the content has %d bytes; GetContent is for at most %d, use Reader", size, maxContent)
	}
	// Not more than a promise is worth is set aside before bytes have come.
	const trusted = 4 << 20
	buf := bytes.NewBuffer(make([]byte, 0, min(size, trusted)+bytes.MinRead))
	_, err := buf.ReadFrom(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// read opens the content from offset to the end. The body is held to its promise.
func (g *gate) read(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, error) {
	body, size, err := g.b.Read(ctx, path, offset, -1)
	if err != nil {
		return nil, 0, err
	}
	if size < 0 {
		_ = body.Close()
		return nil, 0, storagedriver.Errorf(storagedriver.KindCorrupt, "the backend promises a body of %d bytes", size)
	}
	return storagedriver.ExactBody(body, size), size, nil
}

// Reader implements storagedriver.StorageDriver.
func (g *gate) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	const op = "Reader"
	if err := g.admit(ctx, op, path); err != nil {
		return nil, err
	}
	if offset < 0 {
		err := storagedriver.Errorf(storagedriver.KindInvalidOffset, "offset %d is negative", offset)
		return nil, g.wrap(ctx, op, path, err)
	}
	body, size, err := g.read(ctx, path, offset)
	if err != nil {
		return nil, g.wrap(ctx, op, path, err)
	}
	return &reader{gate: g, ctx: ctx, path: path, body: body, size: size}, nil
}

// reader is the body that Reader returns: its errors are wrapped, and it ends with ctx.
type reader struct {
	gate   *gate
	ctx    context.Context
	path   string
	body   io.ReadCloser
	size   int64
	closed bool
}

var _ storagedriver.SizedReader = (*reader)(nil)

// Size implements storagedriver.SizedReader.
func (r *reader) Size() int64 { return r.size }

func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, r.wrap(storagedriver.NewError(storagedriver.KindClosed, "the reader has been closed"))
	}
	if r.gate.closed.Load() {
		return 0, r.wrap(storagedriver.NewError(storagedriver.KindClosed, "the driver has been closed"))
	}
	if err := r.ctx.Err(); err != nil {
		return 0, r.wrap(err)
	}
	n, err := r.body.Read(p)
	if err == io.EOF {
		return n, err
	}
	return n, r.wrap(err)
}

func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.wrap(r.body.Close())
}

func (r *reader) wrap(err error) error { return r.gate.wrap(r.ctx, "Reader", r.path, err) }

// Stat implements storagedriver.StorageDriver.
func (g *gate) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	const op = "Stat"
	if err := g.admitDirectory(ctx, op, path); err != nil {
		return nil, err
	}
	entry, err := g.stat(ctx, path)
	if err != nil {
		return nil, g.wrap(ctx, op, path, err)
	}
	return storagedriver.NewFileInfo(path, entry), nil
}

// stat is the backend's Stat, checked.
func (g *gate) stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	entry, err := g.b.Stat(ctx, path)
	switch {
	case err != nil:
		return entry, err
	case entry.Size < 0:
		return entry, storagedriver.Errorf(storagedriver.KindCorrupt, "the backend says a size of %d bytes", entry.Size)
	case path == "/" && !entry.Dir:
		return entry, storagedriver.NewError(storagedriver.KindCorrupt, "the backend says that the root is a file")
	}
	return entry, nil
}

// RedirectURL implements storagedriver.StorageDriver.
func (g *gate) RedirectURL(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	const op = "RedirectURL"
	if err := g.admit(ctx, op, path); err != nil {
		return "", err
	}
	if !g.has(storagedriver.AbilityRedirect) {
		return "", nil
	}
	url, err := g.b.Redirect(ctx, path, options)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return "", nil
	}
	if err != nil {
		return "", g.wrap(ctx, op, path, err)
	}
	return url, nil
}
