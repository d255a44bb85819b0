package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// upload is what may be found suspended at a path.
type upload struct {
	found []found
	// beside are of uploads that others had begun beside what is found: they may come to light when that ends, unless it is
	// ended by who was opened on it with them there.
	beside []found
	// taken counts how often a writer began to accept bytes or the upload ended: a writer that
	// was opened before has been overtaken.
	taken int
	// ended counts how often the upload ended.
	ended int
}

// found is one thing that an opening with append may find: a beginning of content of at least least bytes, which
// are at least one, or, when absent, nothing.
type found struct {
	absent  bool
	content content
	least   int64
	origin  int
}

var nothing = found{absent: true}

func exactly(c content, origin int) found { return found{content: c, least: c.size(), origin: origin} }

// base is what a writer may have been opened on. Its origin is the upload: writers that begin anew beside each other
// begin uploads of their own.
type base struct {
	content content
	origin  int
}

func (b base) same(x base) bool { return b.origin == x.origin && b.content.same(x.content) }

// session is a writer.
type session struct {
	name, path string
	writer     storagedriver.FileWriter
	endContext context.CancelFunc

	// bases are what it may have been opened on, all of one size. One of them, unless writers have contested
	// the upload.
	bases   []base
	written content
	status  status

	resumed     bool // a suspended upload, not committed content or nothing
	onCommitted bool // committed content
	accepted    bool
	interrupted bool // its context has ended

	taken, ended int // the upload's, when it was opened or accepted bytes
	// contested: another writer accepts bytes too, or what this one goes on from was taken away.
	contested bool
	// stale: another writer has gone on with the upload that this one had resumed, and suspended it, when the
	// upload had ended staleAt times.
	stale   bool
	staleAt int
	// blocked: there was something in the way of a file at the path.
	blocked bool
}

type status int

const (
	open status = iota
	suspended
	committed
	cancelled
)

// running reports whether it may still store something.
func (w *session) running() bool { return w.status == open }

func (w *session) size() int64 { return w.bases[0].content.size() + w.written.size() }

// continues reports whether w certainly writes to the upload that x does.
func (w *session) continues(x *session) bool {
	return len(w.bases) == 1 && len(x.bases) == 1 && w.bases[0].origin == x.bases[0].origin
}

// contents are what it may hold.
func (w *session) contents() []content {
	var out []content
	for _, b := range w.bases {
		out = append(out, b.content.join(w.written))
	}
	return out
}

// upload returns that of path.
func (s *state) upload(path string) *upload {
	u := s.uploads[path]
	if u == nil {
		u = &upload{found: []found{nothing}}
		s.uploads[path] = u
	}
	return u
}

// begin returns the origin of an upload that a writer begins.
func (s *state) begin() int {
	s.origins++
	return s.origins
}

// overtaken reports whether the writer may be told Conflict.
func (s *state) overtaken(w *session) bool {
	return w.contested || w.taken != s.upload(w.path).taken
}

// outdated reports whether the writer must be told Conflict, when it suspends what it has accepted or commits.
func (s *state) outdated(w *session) bool {
	return s.has(storagedriver.AbilityConditional) && w.stale && w.staleAt == s.upload(w.path).ended
}

// rivals are the writers of path, but for one, that have accepted bytes and may store more.
func (s *state) rivals(path string, but *session) []*session {
	var out []*session
	for _, w := range s.sessions {
		if w != but && w.path == path && w.running() && w.accepted {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *session) int { return strings.Compare(a.name, b.name) })
	return out
}

// possible is all that an opening with append may find now, when writers of which parts may be stored already
// are open.
func (s *state) possible(path string, but *session) []found {
	out := slices.Clone(s.upload(path).found)
	for _, w := range s.rivals(path, but) {
		for i, c := range w.contents() {
			least := int64(1)
			if !s.overtaken(w) {
				least = max(1, w.bases[i].content.size())
			}
			out = append(out, found{content: c, least: least, origin: w.bases[i].origin})
		}
	}
	return out
}

// end says that the unfinished uploads at path, and with below those below it, have ended.
func (s *state) end(path string, below bool) {
	for p, u := range s.uploads {
		if p == path || below && storagedriver.IsBelow(p, path) {
			u.found, u.beside = []found{nothing}, nil
			u.taken++
			u.ended++
		}
	}
}

// doubt says that uploads at path and below it may have ended; the one at path itself only with itself.
func (s *state) doubt(path string, itself bool) {
	for p, u := range s.uploads {
		if !storagedriver.IsBelow(p, path) && (p != path || !itself) {
			continue
		}
		// Of several that writers have left there, one may be removed before the others.
		for i := range u.found {
			if len(u.found) > 1 && !u.found[i].absent {
				u.found[i].least = 1
			}
		}
		u.found = append(append(u.found, u.beside...), nothing)
		u.taken++
	}
}

// has reports whether what w writes to may still be found.
func (u *upload) has(w *session) bool {
	return slices.ContainsFunc(slices.Concat(u.found, u.beside), func(f found) bool {
		return !f.absent && slices.ContainsFunc(w.bases, func(b base) bool { return b.origin == f.origin })
	})
}

// keep makes shown what may be found, and what was of other uploads beside it.
func (u *upload) keep(shown, before []found) {
	u.found = shown
	for _, f := range before {
		if !f.absent && slices.ContainsFunc(shown, func(s found) bool { return s.origin != f.origin && !s.absent }) {
			u.beside = append(u.beside, f)
		}
	}
}

// candidate is what a writer that has been opened may go on from.
type candidate struct {
	content   content
	found     found
	resumed   bool
	committed bool
}

// opened returns what an opening with append that reports size may go on from.
func (s *state) opened(path string, size int64) []candidate {
	var out []candidate
	kept, isFile := s.files[path]
	for _, f := range s.possible(path, nil) {
		switch {
		case !f.absent && f.least <= size && size <= f.content.size():
			out = append(out, candidate{content: f.content.prefix(size), found: exactly(f.content.prefix(size), f.origin), resumed: true})
		case f.absent && (!isFile || kept.size() == 0) && size == 0:
			out = append(out, candidate{found: nothing})
		case f.absent && s.has(storagedriver.AbilityAppendCommitted) && isFile && size == kept.size():
			out = append(out, candidate{content: kept, found: nothing, committed: true})
		}
	}
	return out
}

// mayRefuse reports whether an opening with append may answer Unsupported.
func (s *state) mayRefuse(path string) bool {
	if s.files[path].size() == 0 || s.has(storagedriver.AbilityAppendCommitted) {
		return false
	}
	return slices.ContainsFunc(s.possible(path, nil), func(f found) bool { return f.absent })
}

// describe says what an opening with append may answer.
func (s *state) describe(path string) string {
	var out []string
	for _, f := range s.possible(path, nil) {
		var text string
		kept := s.files[path].size()
		switch {
		case !f.absent && f.least == f.content.size():
			text = fmt.Sprintf("the upload of %v", f.content)
		case !f.absent:
			text = fmt.Sprintf("the upload's first %d to %d bytes", f.least, f.content.size())
		case kept == 0:
			text = "nothing, hence 0 bytes"
		case s.has(storagedriver.AbilityAppendCommitted):
			text = fmt.Sprintf("the committed %d bytes", kept)
		default:
			text = fmt.Sprintf("no upload, hence unsupported for the committed %d bytes", kept)
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", or ")
}

// settle keeps of what may be suspended at path only what an opening has shown, unless a writer may be
// storing more.
func (s *state) settle(path string, shown []found) {
	if len(s.rivals(path, nil)) == 0 {
		u := s.upload(path)
		u.keep(shown, u.found)
	}
}

// accept says that the writer has accepted p.
func (s *state) accept(w *session, p piece) {
	u := s.upload(w.path)
	rivals := s.rivals(w.path, w)
	if w.taken != u.taken || len(rivals) > 0 {
		w.contested = true
	}
	for _, r := range rivals {
		r.contested = true
	}
	if !w.accepted || w.taken != u.taken {
		u.taken++
	}
	w.taken, w.ended, w.accepted = u.taken, u.ended, true
	w.written = w.written.with(p)
	s.touch(w.path)
}

// suspend says that the writer, which has accepted bytes, was closed, with success or not, and reports
// size. It returns false if no opening could report that.
func (s *state) suspend(w *session, size int64, ok bool) bool {
	u := s.upload(w.path)
	w.status, w.ended = suspended, u.ended
	for _, x := range s.sessions {
		if ok && x != w && x.path == w.path && x.running() && x.resumed && w.continues(x) {
			x.stale, x.staleAt = true, u.ended
		}
	}
	if ok && !s.overtaken(w) && !w.blocked {
		u.found = nil
		for i, c := range w.contents() {
			u.found = append(u.found, exactly(c, w.bases[i].origin))
		}
		return true
	}
	may := s.possible(w.path, nil)
	for i, c := range w.contents() {
		may = append(may, found{content: c, least: 1, origin: w.bases[i].origin})
	}
	if len(s.rivals(w.path, w)) > 0 {
		u.found = append(may, nothing)
		return true
	}
	// What it reports is what the next opening is to report.
	var shown []found
	for _, f := range may {
		if !f.absent && f.least <= size && size <= f.content.size() {
			shown = append(shown, exactly(f.content.prefix(size), f.origin))
		}
	}
	kept := int64(0)
	if s.has(storagedriver.AbilityAppendCommitted) {
		kept = s.files[w.path].size()
	}
	if size == kept {
		shown = append(shown, nothing)
	}
	u.keep(shown, may)
	return len(shown) > 0
}

// lose says that the process has ended with the writer open.
func (s *state) lose(w *session) {
	u := s.upload(w.path)
	u.found = s.possible(w.path, nil)
	s.touch(w.path)
}
