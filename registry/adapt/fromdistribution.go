package adapt

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// FromDistribution returns one of distribution's drivers as a StorageDriver. It is as
// concurrent as d. Close does nothing: distribution's drivers have none.
//
// What d does not promise cannot be added: Put may not be atomic, bodies are not
// checked against their size, and unfinished uploads may be visible. Capabilities are
// therefore empty.
func FromDistribution(d driver.StorageDriver) storagedriver.StorageDriver {
	return &fromDistribution{d: d}
}

type fromDistribution struct {
	d driver.StorageDriver
}

var _ storagedriver.StorageDriver = (*fromDistribution)(nil)

func (f *fromDistribution) fail(op, path string, err error) error {
	return storageError(op, f.d.Name(), path, err)
}

func (f *fromDistribution) Name() string { return f.d.Name() }
func (f *fromDistribution) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{}
}
func (f *fromDistribution) Close() error { return nil }

func (f *fromDistribution) GetContent(ctx context.Context, path string) ([]byte, error) {
	content, err := f.d.GetContent(ctx, path)
	return content, f.fail("GetContent", path, err)
}

func (f *fromDistribution) PutContent(ctx context.Context, path string, content []byte) error {
	return f.fail("PutContent", path, f.d.PutContent(ctx, path, content))
}

func (f *fromDistribution) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	reader, err := f.d.Reader(ctx, path, offset)
	if err != nil {
		return nil, f.fail("Reader", path, err)
	}
	return reader, nil
}

func (f *fromDistribution) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := f.d.Writer(ctx, path, append)
	if err != nil {
		return nil, f.fail("Writer", path, err)
	}
	return &foreignWriter{f: f, w: w, path: path, size: w.Size()}, nil
}

func (f *fromDistribution) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	info, err := f.d.Stat(ctx, path)
	if err != nil {
		return nil, f.fail("Stat", path, err)
	}
	return storagedriver.NewFileInfo(info.Path(), storagedriver.Entry{Size: info.Size(), ModTime: info.ModTime(), Dir: info.IsDir()}), nil
}

func (f *fromDistribution) List(ctx context.Context, path string) ([]string, error) {
	paths, err := f.d.List(ctx, path)
	if err != nil {
		if info, statErr := f.d.Stat(ctx, path); statErr == nil && !info.IsDir() {
			err = storagedriver.Errorf(storagedriver.KindNotFound, "it is a file: %w", err)
		}
		return nil, f.fail("List", path, err)
	}
	slices.Sort(paths)
	return paths, nil
}

func (f *fromDistribution) Move(ctx context.Context, sourcePath, destPath string) error {
	return f.fail("Move", sourcePath, f.d.Move(ctx, sourcePath, destPath))
}

func (f *fromDistribution) Delete(ctx context.Context, path string) error {
	return f.fail("Delete", path, f.d.Delete(ctx, path))
}

// RedirectURL gives the driver a request that has what options have: method, client and
// X-Forwarded-For, and the URL of the path.
func (f *fromDistribution) RedirectURL(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	r, err := http.NewRequestWithContext(ctx, options.Method, path, nil)
	if err != nil {
		return "", f.fail("RedirectURL", path, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%w", err))
	}
	r.RemoteAddr = options.RemoteAddr
	if options.ForwardedFor != "" {
		r.Header.Set("X-Forwarded-For", options.ForwardedFor)
	}
	url, err := f.d.RedirectURL(r, path)
	return url, f.fail("RedirectURL", path, err)
}

// Walk lists and stats for itself: distribution's drivers differ in the order in which
// they call back.
func (f *fromDistribution) Walk(ctx context.Context, path string, fn storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	children, err := f.d.List(ctx, path)
	if err != nil {
		return f.fail("Walk", path, err)
	}
	w := foreignWalk{ctx: ctx, f: f, startAfter: o.StartAfterHint, fn: fn}
	_, err = w.visit(children)
	return err
}

type foreignWalk struct {
	ctx        context.Context
	f          *fromDistribution
	startAfter string
	fn         storagedriver.WalkFunc
}

type foreignEntry struct {
	key  string // the path, of a directory with a slash: the order of Walk
	info storagedriver.FileInfo
}

// entries describes children in the order of Walk, without those that are gone by now.
func (w *foreignWalk) entries(children []string) ([]foreignEntry, error) {
	entries := make([]foreignEntry, 0, len(children))
	for _, child := range children {
		info, err := w.f.Stat(w.ctx, child)
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		key := child
		if info.IsDir() {
			key += "/"
		}
		entries = append(entries, foreignEntry{key: key, info: info})
	}
	slices.SortFunc(entries, func(a, b foreignEntry) int { return cmp.Compare(a.key, b.key) })
	return entries, nil
}

// visit returns false when the walk is over.
func (w *foreignWalk) visit(children []string) (bool, error) {
	entries, err := w.entries(children)
	if err != nil {
		return false, err
	}
	hint := w.startAfter
	for _, e := range entries {
		if e.info.Path() == hint {
			hint = e.key
		}
	}
	for _, e := range entries {
		passed := e.key == hint || e.info.IsDir() && storagedriver.IsBelow(hint, e.info.Path())
		switch {
		case passed:
		case e.key < hint:
			continue
		default:
			switch err := w.fn(e.info); {
			case err == nil:
			case err == storagedriver.ErrSkipDir:
				continue
			case err == storagedriver.ErrFilledBuffer:
				return false, nil
			default:
				return false, err
			}
		}
		if !e.info.IsDir() {
			continue
		}
		below, err := w.f.d.List(w.ctx, e.info.Path())
		if kind, _ := bareKind(err); err != nil && kind == storagedriver.KindNotFound {
			continue
		}
		if err != nil {
			return false, w.f.fail("Walk", e.info.Path(), err)
		}
		if more, err := w.visit(below); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// foreignWriter gives a FileWriter of distribution what ours promise: Close and Cancel
// may be called in any state, and Cancel after Close ends the upload.
type foreignWriter struct {
	f         *fromDistribution
	w         driver.FileWriter
	path      string
	committed bool
	ended     bool // closed, committed or cancelled
	canceled  bool
	size      int64 // counted: some of distribution's writers buffer, some forget it when closed
}

func (w *foreignWriter) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.f.fail("Write", w.path, storagedriver.NewError(storagedriver.KindClosed, "the writer is closed"))
	}
	n, err := w.w.Write(p)
	w.size += int64(n)
	return n, w.f.fail("Write", w.path, err)
}

func (w *foreignWriter) Size() int64 { return w.size }

func (w *foreignWriter) Close() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return w.f.fail("Close", w.path, w.w.Close())
}

func (w *foreignWriter) Cancel(ctx context.Context) error {
	if w.committed || w.canceled {
		return nil
	}
	target := w.w
	if w.ended {
		resumed, err := w.f.d.Writer(ctx, w.path, true)
		if err != nil {
			return w.f.fail("Cancel", w.path, err)
		}
		target = resumed
	} else {
		w.ended = true
	}
	if err := target.Cancel(ctx); err != nil {
		return w.f.fail("Cancel", w.path, err)
	}
	w.canceled = true
	return nil
}

func (w *foreignWriter) Commit(ctx context.Context) error {
	if w.ended {
		return w.f.fail("Commit", w.path, storagedriver.NewError(storagedriver.KindClosed, "the writer is closed"))
	}
	if err := w.w.Commit(ctx); err != nil {
		return w.f.fail("Commit", w.path, err)
	}
	w.ended = true
	w.committed = true
	return w.f.fail("Commit", w.path, w.w.Close())
}
