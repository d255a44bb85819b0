package adapt

import (
	"context"
	"io"
	"net/http"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// ToDistribution returns d as a driver of distribution. The caller still closes d, after
// the last call to what is returned. It may be used as concurrently as d.
//
// Two things differ from a plain translation. Hash states of unfinished uploads are
// written as [WithRequest] says, and where distribution itself neither reads nor writes any. And a Walk that is given options, which is how
// distribution asks for pages of its catalog and of a repository's tags, calls back in
// the order that those pages need: depth first, siblings by name, so that the tag "1"
// comes before "1-alpine".
func ToDistribution(d storagedriver.StorageDriver) driver.StorageDriver {
	return &toDistribution{d: d}
}

type toDistribution struct {
	d      storagedriver.StorageDriver
	rivals rivals
}

var _ driver.StorageDriver = (*toDistribution)(nil)

func (t *toDistribution) fail(path string, err error) error {
	return distributionError(t.d.Name(), path, 0, err)
}

func (t *toDistribution) Name() string { return t.d.Name() }

func (t *toDistribution) GetContent(ctx context.Context, path string) ([]byte, error) {
	stored := path
	if state, ok := parseHashState(path); ok {
		stored = state.path
	}
	content, err := t.d.GetContent(ctx, stored)
	return content, t.fail(path, err)
}

func (t *toDistribution) PutContent(ctx context.Context, path string, content []byte) error {
	if state, ok := parseHashState(path); ok {
		return t.fail(path, t.putHashState(ctx, state, content))
	}
	return t.fail(path, t.d.PutContent(ctx, path, content))
}

func (t *toDistribution) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	reader, err := t.d.Reader(ctx, path, offset)
	if err != nil {
		return nil, distributionError(t.d.Name(), path, offset, err)
	}
	return reader, nil
}

func (t *toDistribution) Writer(ctx context.Context, path string, append bool) (driver.FileWriter, error) {
	var self *contender
	if isUploadContent(path) {
		self = t.rivals.enter(path)
	}
	w, err := t.d.Writer(ctx, path, append)
	if err != nil && self != nil {
		self.release()
	}
	if append && storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		if again, ok := t.completedUpload(ctx, path); ok {
			return again, nil
		}
	}
	if err != nil {
		return nil, t.fail(path, err)
	}
	out := &writer{w: w, name: t.d.Name(), path: path, contender: self}
	out.forget = func() error { return t.removeHashStates(ctx, path) }
	out.requested = requestOf(ctx).opened(path, out)
	return out, nil
}

func (t *toDistribution) Stat(ctx context.Context, path string) (driver.FileInfo, error) {
	info, err := t.d.Stat(ctx, path)
	if err != nil {
		return nil, t.fail(path, err)
	}
	return info, nil
}

func (t *toDistribution) List(ctx context.Context, path string) ([]string, error) {
	if _, stored, ok := parseHashStates(path); ok {
		return t.listHashStates(ctx, path, stored)
	}
	paths, err := t.d.List(ctx, path)
	return paths, t.fail(path, err)
}

func (t *toDistribution) Move(ctx context.Context, sourcePath, destPath string) error {
	move := func() error { return t.d.Move(ctx, sourcePath, destPath) }
	if w := requestOf(ctx).writer(sourcePath); w != nil && w.contender != nil {
		defer w.release()
		return t.fail(sourcePath, w.contender.move(func() error { return t.verifyBlob(ctx, sourcePath, destPath) }, move))
	}
	return t.fail(sourcePath, move())
}

func (t *toDistribution) Delete(ctx context.Context, path string) error {
	requestOf(ctx).release(path)
	return t.fail(path, t.d.Delete(ctx, path))
}

// RedirectURL answers "" where the driver does not redirect: to distribution an error
// would fail the pull, "" serves the content.
func (t *toDistribution) RedirectURL(r *http.Request, path string) (string, error) {
	url, err := t.d.RedirectURL(r.Context(), path, storagedriver.RedirectOptions{
		Method:       r.Method,
		RemoteAddr:   r.RemoteAddr,
		ForwardedFor: r.Header.Get("X-Forwarded-For"),
	})
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return "", nil
	}
	return url, t.fail(path, err)
}

// writer is a FileWriter that remembers what the hash state of its upload depends on. Like
// every FileWriter it is used by one goroutine at a time.
type writer struct {
	w          storagedriver.FileWriter
	name, path string
	contender  *contender   // nil for what is no upload of a blob
	forget     func() error // removes the upload's hash states
	ended      bool         // committed or cancelled: there is nothing to resume
	requested  bool         // a request knows it, and releases it
	closed     bool
	closeErr   error
}

func (w *writer) fail(err error) error { return distributionError(w.name, w.path, 0, err) }

func (w *writer) Write(p []byte) (int, error) {
	if w.contender != nil && len(p) > 0 {
		if err := w.contender.accept(w.forget); err != nil {
			return 0, w.fail(err)
		}
	}
	n, err := w.w.Write(p)
	return n, w.fail(err)
}

// Close may come from distribution several times, also after suspend: each caller gets the first outcome. distribution
// closes a writer that has committed before it makes a blob of the content, so that such a one stays one of those that
// are open for its rivals, until the request moves, deletes or ends.
func (w *writer) Close() error {
	err := w.suspend()
	if !w.ended || !w.requested {
		w.release()
	}
	return err
}

// suspend closes the writer, which stays one of those that are open for its rivals.
func (w *writer) suspend() error {
	if !w.closed {
		w.closed = true
		w.closeErr = w.fail(w.w.Close())
	}
	return w.closeErr
}

func (w *writer) release() {
	if w.contender != nil {
		w.contender.release()
	}
}

func (w *writer) Size() int64 { return w.w.Size() }

func (w *writer) Cancel(ctx context.Context) error {
	w.ended = true
	defer w.release()
	return w.fail(w.w.Cancel(ctx))
}

func (w *writer) Commit(ctx context.Context) error {
	commit := func() error { return w.w.Commit(ctx) }
	var err error
	if w.contender != nil {
		err = w.contender.commit(commit)
	} else {
		err = commit()
	}
	if err == nil {
		w.ended = true
	}
	return w.fail(err)
}
