package adapt

import (
	"context"
	"io"
	"net/http"
	"strings"

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
//
// If d's Capabilities name a bucket, what is returned has the method S3BucketKey as well, which is how distribution's middleware for
// a content delivery network learns the key of a path.
func ToDistribution(d storagedriver.StorageDriver) driver.StorageDriver {
	t := &toDistribution{d: d}
	if keys := d.Capabilities().Keys; keys.Bucket != "" {
		return &inBucket{toDistribution: t, keys: keys}
	}
	return t
}

// inBucket is a toDistribution whose files are in a bucket. That is a type of its own because distribution asks for
// the method, not for the bucket.
type inBucket struct {
	*toDistribution
	keys storagedriver.Keys
}

// S3BucketKey returns the key of the file at path.
func (b *inBucket) S3BucketKey(path string) string {
	return b.keys.Prefix + strings.TrimPrefix(path, "/")
}

type toDistribution struct {
	d      storagedriver.StorageDriver
	rivals rivals
}

var _ driver.StorageDriver = (*toDistribution)(nil)

// fail returns err as distribution's, and has the request of ctx remember it.
func (t *toDistribution) fail(ctx context.Context, path string, err error) error {
	return t.failAt(ctx, path, 0, err)
}

func (t *toDistribution) failAt(ctx context.Context, path string, offset int64, err error) error {
	requestOf(ctx).failed(err)
	return distributionError(t.d.Name(), path, offset, err)
}

func (t *toDistribution) Name() string { return t.d.Name() }

func (t *toDistribution) GetContent(ctx context.Context, path string) ([]byte, error) {
	stored := path
	if state, ok := parseHashState(path); ok {
		stored = state.path
	}
	content, err := t.d.GetContent(ctx, stored)
	return content, t.fail(ctx, path, err)
}

func (t *toDistribution) PutContent(ctx context.Context, path string, content []byte) error {
	if state, ok := parseHashState(path); ok {
		return t.fail(ctx, path, t.putHashState(ctx, state, content))
	}
	return t.fail(ctx, path, t.d.PutContent(ctx, path, content))
}

func (t *toDistribution) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	reader, err := t.d.Reader(ctx, path, offset)
	if err != nil {
		return nil, t.failAt(ctx, path, offset, err)
	}
	if r := requestOf(ctx); r != nil {
		return &body{ReadCloser: reader, request: r}, nil
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
		return nil, t.fail(ctx, path, err)
	}
	out := &writer{w: w, name: t.d.Name(), path: path, contender: self, request: requestOf(ctx)}
	out.forget = func() error { return t.removeHashStates(ctx, path) }
	out.requested = out.request.opened(path, out)
	return out, nil
}

func (t *toDistribution) Stat(ctx context.Context, path string) (driver.FileInfo, error) {
	info, err := t.d.Stat(ctx, path)
	if err != nil {
		return nil, t.fail(ctx, path, err)
	}
	return info, nil
}

func (t *toDistribution) List(ctx context.Context, path string) ([]string, error) {
	if _, stored, ok := parseHashStates(path); ok {
		return t.listHashStates(ctx, path, stored)
	}
	paths, err := t.d.List(ctx, path)
	return paths, t.fail(ctx, path, err)
}

func (t *toDistribution) Move(ctx context.Context, sourcePath, destPath string) error {
	move := func() error { return t.d.Move(ctx, sourcePath, destPath) }
	if w := requestOf(ctx).writer(sourcePath); w != nil && w.contender != nil {
		defer w.release()
		return t.fail(ctx, sourcePath, w.contender.move(func() error { return t.verifyBlob(ctx, sourcePath, destPath) }, move))
	}
	return t.fail(ctx, sourcePath, move())
}

func (t *toDistribution) Delete(ctx context.Context, path string) error {
	requestOf(ctx).release(path)
	return t.fail(ctx, path, t.d.Delete(ctx, path))
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
	return url, t.fail(r.Context(), path, err)
}

// writer is a FileWriter that remembers what the hash state of its upload depends on. Like
// every FileWriter it is used by one goroutine at a time.
type writer struct {
	w          storagedriver.FileWriter
	name, path string
	contender  *contender   // nil for what is no upload of a blob
	forget     func() error // removes the upload's hash states
	ended      bool         // committed or cancelled: there is nothing to resume
	request    *request     // it was opened by; nil for none
	requested  bool         // the request knows it, and releases it
	closed     bool
	closeErr   error
}

func (w *writer) fail(err error) error {
	w.request.failed(err)
	return distributionError(w.name, w.path, 0, err)
}

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
		err := w.w.Close()
		w.request.suspended(err)
		w.closeErr = w.fail(err)
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
