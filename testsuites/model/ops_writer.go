package model

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

func (r *run) openWriter(op Op) {
	s := r.state
	if w := s.sessions[op.Name]; w != nil {
		if w.running() {
			r.closeWriter(w) // the name stands for another now
		}
		w.endContext()
		delete(s.sessions, op.Name)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	writer, err := r.driver.Writer(ctx, r.target(op.Path), op.Append)
	w := &session{name: op.Name, path: op.Path, writer: writer, endContext: cancel}
	// What a rival has accepted may be stored from now on.
	w.contested = len(s.rivals(op.Path, nil)) > 0
	if err == nil {
		defer func() {
			if s.sessions[op.Name] != w {
				_ = writer.Close()
				cancel()
			}
		}()
	} else {
		cancel()
	}
	if r.malformed(err, "Writer", op.Path) {
		return
	}
	kinds := []storagedriver.Kind{ok}
	if s.blocked(op.Path) || s.mayBeBlocked(op.Path) {
		kinds = append(kinds, invalidPath)
		w.blocked = true
	}
	if op.Append && s.mayRefuse(op.Path) {
		kinds = append(kinds, storagedriver.KindUnsupported)
	}
	opened := r.want(err, "Writer", kinds...)
	if !op.Append {
		r.begun(w, opened)
	} else {
		r.continued(w, err)
	}
	if opened {
		s.touch(op.Path)
		s.sessions[op.Name] = w
	}
}

// begun says that a writer was opened without append, which ends what was suspended.
func (r *run) begun(w *session, opened bool) {
	s := r.state
	// A backend with parts ends uploads to a path and below it by one call: whether those below end is open.
	s.doubt(w.path, !opened)
	if !opened {
		return
	}
	s.end(w.path, false)
	u := s.upload(w.path)
	w.taken, w.ended, w.bases = u.taken, u.ended, []base{{origin: s.begin()}}
	if got := w.writer.Size(); got != 0 {
		r.fail("Size of a writer without append", "0", "%d", got)
	}
}

// continued says that a writer was opened with append.
func (r *run) continued(w *session, err error) {
	s := r.state
	u := s.upload(w.path)
	if err != nil {
		if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
			s.settle(w.path, []found{nothing})
		}
		return
	}
	size := w.writer.Size()
	may := s.opened(w.path, size)
	if len(may) == 0 {
		r.fail("Writer with append", s.describe(w.path), "Size %d", size)
	}
	var shown []found
	for _, c := range may {
		if !c.resumed {
			c.found.origin = s.begin()
		}
		if b := (base{c.content, c.found.origin}); !slices.ContainsFunc(w.bases, b.same) {
			w.bases = append(w.bases, b)
		}
		w.resumed = w.resumed || c.resumed
		w.onCommitted = w.onCommitted || c.committed
		shown = append(shown, c.found)
	}
	s.settle(w.path, shown)
	w.taken, w.ended = u.taken, u.ended
}

// after returns what Write and Commit may answer when the writer is no longer open, or nil when it is.
func (w *session) after() []storagedriver.Kind {
	switch {
	case w.running():
		return nil
	case w.interrupted:
		return []storagedriver.Kind{closed, storagedriver.KindCanceled}
	}
	return []storagedriver.Kind{closed}
}

// mayFail returns what an operation of the writer may answer beside no error.
func (s *state) mayFail(w *session) []storagedriver.Kind {
	var kinds []storagedriver.Kind
	if s.overtaken(w) {
		kinds = append(kinds, conflict, notFound)
	}
	if w.blocked || s.blocked(w.path) || s.mayBeBlocked(w.path) {
		w.blocked = true // what has failed once may be told again
		kinds = append(kinds, invalidPath, conflict)
	}
	return kinds
}

func (r *run) write(w *session, op Op) {
	s := r.state
	p := piece{seed: op.Seed, n: op.Size}
	may := append([]storagedriver.Kind{ok}, s.mayFail(w)...)
	if w.running() && s.capabilities.MaxObject > 0 && w.size()+op.Size > s.capabilities.MaxObject {
		may = append(may, storagedriver.KindLimit)
	}
	if after := w.after(); after != nil {
		may = after
	}
	// In one Write where that is possible, so that writers meet all sizes of it.
	var n int64
	var err error
	body := p.reader()
	buf := make([]byte, max(1, min(op.Size, maxPiece)))
	for first := true; err == nil && (first || n < op.Size); first = false {
		var m, accepted int
		m, _ = io.ReadFull(body, buf)
		accepted, err = w.writer.Write(buf[:m])
		if accepted > m || accepted < m && err == nil {
			r.fail("Write", fmt.Sprintf("%d of %d bytes and no error", m, m), "%d and %v", accepted, err)
		}
		n += int64(accepted)
	}
	if n > 0 && w.running() {
		p.n = n
		s.accept(w, p)
		may = append(may, s.mayFail(w)...)
	}
	r.want(err, "Write", may...)
	if got := w.writer.Size(); w.running() && got != w.size() {
		r.fail("Size after Write", fmt.Sprint(w.size()), "%d", got)
	}
}

// maxPiece is the most bytes given to one Write.
const maxPiece = 32 << 20

func (r *run) closeWriter(w *session) {
	s := r.state
	running := w.running()
	may := []storagedriver.Kind{ok}
	if running && w.accepted {
		if s.outdated(w) {
			may = nil
		}
		may = append(may, s.mayFail(w)...)
	}
	closed := r.want(w.writer.Close(), "Close", may...)
	if !running {
		return
	}
	r.suspended(w, closed)
	r.want(w.writer.Close(), "the second Close", ok)
}

// suspended takes note of a writer that was closed.
func (r *run) suspended(w *session, closed bool) {
	s := r.state
	size := w.writer.Size()
	if closed && size != w.size() {
		r.fail("Size after Close", fmt.Sprint(w.size()), "%d", size)
	}
	if !w.accepted {
		w.status = suspended
		return
	}
	s.touch(w.path)
	before := s.describe(w.path)
	if !s.suspend(w, size, closed) {
		r.fail("Size after Close", "what the next opening can report: "+before, "%d", size)
	}
}

// interrupt ends the writer's context, which suspends it as Close does.
func (r *run) interrupt(w *session) {
	w.endContext()
	w.interrupted = true
	r.closeWriter(w)
}

func (r *run) commit(w *session) {
	ctx, cancel := r.timed()
	defer cancel()
	s := r.state
	err := w.writer.Commit(ctx)
	if after := w.after(); after != nil {
		r.want(err, "Commit", after...)
		return
	}
	may, overtaken := s.mayFail(w), s.overtaken(w)
	if !s.blocked(w.path) && !s.outdated(w) {
		may = append(may, ok)
	}
	if !r.want(err, "Commit", may...) {
		w.contested = true // it may have been found out half way
		s.touch(w.path)
		r.look(w.path)
		return
	}
	w.status = committed
	size := w.size()
	contents := w.contents()
	c := contents[0]
	if len(contents) > 1 {
		c = r.whichOf(w.path, contents)
	}
	others := append(s.possible(w.path, w), s.upload(w.path).beside...)
	s.end(w.path, false)
	if overtaken {
		// What another has suspended meanwhile may live on, as it does when content is put.
		s.upload(w.path).found = append(others, nothing)
	}
	s.put(w.path, c)
	r.look(w.path)
	if got := w.writer.Size(); got != size {
		r.fail("Size after Commit", fmt.Sprint(size), "%d", got)
	}
}

// whichOf finds out which of several contents is at path.
func (r *run) whichOf(path string, contents []content) content {
	ctx, cancel := r.timed()
	defer cancel()
	var descriptions []string
	for _, c := range contents {
		body, err := r.driver.Reader(ctx, r.full(path), 0)
		r.want(err, "Reader", ok)
		wrong, failed := c.verify(body, 0)
		_ = body.Close() // it was only read
		if wrong == nil && failed == nil {
			return c
		}
		descriptions = append(descriptions, c.String())
	}
	r.fail("the content after Commit", strings.Join(descriptions, ", or "), "something else")
	return nil
}

func (r *run) cancel(w *session) {
	ctx, cancel := r.timed()
	defer cancel()
	s := r.state
	before := w.status
	overtaken := s.overtaken(w)
	r.want(w.writer.Cancel(ctx), "Cancel", ok)
	if before == committed || before == cancelled {
		r.look(w.path)
		return
	}
	w.status = cancelled
	s.touch(w.path)
	u := s.upload(w.path)
	switch {
	case !w.accepted && !w.resumed && !overtaken:
		// It had nothing.
	case !overtaken:
		s.end(w.path, false)
	case w.ended != u.ended && !u.has(w):
		// Its upload had ended before, and it has accepted nothing since: another's is left alone.
	default:
		u.found = append(append(s.possible(w.path, nil), u.beside...), nothing)
		u.taken++
	}
	r.look(w.path)
}
