package model

import (
	"bytes"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
)

const (
	notFound    = storagedriver.KindNotFound
	invalidPath = storagedriver.KindInvalidPath
	conflict    = storagedriver.KindConflict
	closed      = storagedriver.KindClosed
)

// malformed has the operation be refused if its path is none, and returns true then.
func (r *run) malformed(err error, what string, paths ...string) bool {
	for _, p := range paths {
		if storagedriver.ValidatePath(p) != nil {
			r.want(err, what, invalidPath)
			return true
		}
	}
	return false
}

// valid reports whether a script may have a file at path.
func valid(path string) bool { return storagedriver.ValidatePath(path) == nil }

func (r *run) put(op Op) {
	ctx, cancel := r.timed()
	defer cancel()
	p := piece{seed: op.Seed, n: op.Size}
	most := r.state.capabilities.MaxObject
	if op.Size > maxHeld && (most == 0 || op.Size <= most) {
		r.check(fmt.Errorf("line %d: put holds its content in memory: at most %d bytes; write takes more", op.Line, maxHeld))
	}
	held := make([]byte, min(op.Size, maxHeld))
	p.fill(held, 0)
	err := r.driver.PutContent(ctx, r.target(op.Path), held)
	s := r.state
	const what = "PutContent"
	switch {
	case r.malformed(err, what, op.Path):
		return
	case most > 0 && op.Size > most:
		r.want(err, what, storagedriver.KindLimit)
	case s.blocked(op.Path):
		r.want(err, what, invalidPath)
	case s.mayBeBlocked(op.Path):
		if r.want(err, what, ok, invalidPath) {
			s.put(op.Path, content{}.with(p))
		}
	default:
		r.want(err, what, ok)
		s.put(op.Path, content{}.with(p))
	}
	r.look(op.Path)
}

// maxHeld is the most bytes of a put, which are held in memory: as many as GetContent gives.
const maxHeld = 128 << 20

func (r *run) get(path string) {
	ctx, cancel := r.timed()
	defer cancel()
	got, err := r.driver.GetContent(ctx, r.target(path))
	const what = "GetContent"
	if r.malformed(err, what, path) {
		return
	}
	c, isFile := r.state.files[path]
	switch {
	case !isFile:
		r.want(err, what, notFound)
		if got != nil {
			r.fail(what, "nothing beside the error", "%d bytes", len(got))
		}
	case c.size() > maxHeld:
		r.want(err, what, storagedriver.KindLimit)
	default:
		r.want(err, what, ok)
		r.wantContent(bytes.NewReader(got), c, 0, what)
	}
}

// wantContent wants reader to give exactly c from offset on.
func (r *run) wantContent(reader io.Reader, c content, offset int64, what string) {
	wrong, failed := c.verify(reader, offset)
	if failed != nil {
		r.want(failed, what, ok)
	}
	if wrong != nil {
		r.fail(what, c.String(), "%v", wrong)
	}
}

// mayOpen returns what Reader may answer.
func (s *state) mayOpen(path string, offset int64) []storagedriver.Kind {
	c, isFile := s.files[path]
	switch {
	case !isFile && offset < 0:
		return []storagedriver.Kind{notFound, storagedriver.KindInvalidOffset}
	case !isFile:
		return []storagedriver.Kind{notFound}
	case offset < 0 || offset > c.size():
		return []storagedriver.Kind{storagedriver.KindInvalidOffset}
	}
	return []storagedriver.Kind{ok}
}

func (r *run) read(path string, offset int64) {
	ctx, cancel := r.timed()
	defer cancel()
	const what = "Reader"
	body, err := r.driver.Reader(ctx, r.target(path), offset)
	if r.malformed(err, what, path) || !r.want(err, what, r.state.mayOpen(path, offset)...) {
		return
	}
	defer body.Close()
	r.wantContent(body, r.state.files[path], offset, fmt.Sprintf("%s %s at %d", what, path, offset))
	r.want(body.Close(), "Close of the reader", ok)
}

// look wants what is at path to be what must be.
func (r *run) look(path string) {
	if storagedriver.ValidatePath(path) != nil {
		return
	}
	r.read(path, 0)
	r.stat(path)
}

// reading is a reader that stays open.
type reading struct {
	name, path string
	body       io.ReadCloser
	content    content
	at         int64
	// disturbed: the file was replaced, moved or deleted. The reader gives what was there, or fails.
	disturbed bool
	failed    bool
}

func (r *run) openReader(op Op) {
	s := r.state
	if o := s.readings[op.Name]; o != nil {
		_ = o.body.Close() // the name stands for another now
		delete(s.readings, op.Name)
	}
	body, err := r.driver.Reader(r.ctx, r.target(op.Path), op.Size)
	if r.malformed(err, "Reader", op.Path) || !r.want(err, "Reader", s.mayOpen(op.Path, op.Size)...) {
		return
	}
	s.readings[op.Name] = &reading{name: op.Name, path: op.Path, body: body, content: s.files[op.Path], at: op.Size}
}

func (r *run) next(op Op) {
	o := r.state.readings[op.Name]
	if o == nil || o.failed {
		return
	}
	buf := make([]byte, min(op.Size, 64<<10))
	for left := op.Size; left > 0; {
		n, err := o.body.Read(buf[:min(left, int64(len(buf)))])
		if wrong := o.content.verifyBytes(buf[:n], o.at); wrong != nil {
			r.fail("reading on", o.content.String(), "%v", wrong)
		}
		o.at, left = o.at+int64(n), left-int64(n)
		switch {
		case err == io.EOF && o.at < o.content.size():
			r.fail("reading on", fmt.Sprintf("the end after %d bytes", o.content.size()), "it after %d", o.at)
		case err == io.EOF:
			return
		case err != nil:
			if !o.disturbed {
				r.want(err, "reading on", ok)
			}
			o.failed = true
			return
		}
	}
}

func (r *run) closeReader(o *reading) {
	delete(r.state.readings, o.name)
	err := o.body.Close()
	if !o.disturbed {
		r.want(err, "Close of the reader", ok)
	}
	n, err := o.body.Read(make([]byte, 1))
	if n > 0 || err == nil || err == io.EOF && o.at < o.content.size() {
		r.fail("Read after Close", "an error", "%d bytes, %v", n, err)
	}
}

func (r *run) stat(path string) {
	ctx, cancel := r.timed()
	defer cancel()
	const what = "Stat"
	if path != "/" && storagedriver.ValidatePath(path) != nil {
		_, err := r.driver.Stat(ctx, path)
		r.want(err, what, invalidPath)
		return
	}
	info, err := r.driver.Stat(ctx, r.full(path))
	c, isFile := r.state.files[path]
	want := fmt.Sprintf("a file of %d bytes", c.size())
	switch {
	case isFile:
		r.want(err, what, ok)
	case r.isRoot(path), r.state.isDir(path) && !r.emptyRoot(path):
		r.want(err, what, ok)
		want = "a directory, 0 bytes"
	case r.state.mayBeDir(path) || r.emptyRoot(path):
		want = "a directory, 0 bytes"
		if !r.want(err, what, ok, notFound) {
			return
		}
	default:
		r.want(err, what, notFound)
		return
	}
	if info.IsDir() == isFile || info.Size() != c.size() || info.Path() != r.full(path) {
		r.fail(what+" "+path, want, "path %s, directory %t, %d bytes", r.script(info.Path()), info.IsDir(), info.Size())
	}
}

// isRoot reports whether path is the driver's own root, which always exists.
func (r *run) isRoot(path string) bool { return path == "/" && r.harness.Dir == "" }

// emptyRoot reports whether path is the script's directory, which is another, and nothing is in it.
func (r *run) emptyRoot(path string) bool {
	return path == "/" && r.harness.Dir != "" && len(r.state.files) == 0
}
