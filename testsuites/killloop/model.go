package killloop

import (
	"fmt"
	"slices"
)

// model is what may be stored, as far as the journal tells.
type model struct {
	paths map[string]*file
	// shared are the contents that a shared path may have: all that were ever about to be committed there.
	shared map[string][]content
	// moving is the move that each worker has begun, by source: its content is at one of the two paths.
	moving map[string]string
}

// file is what may be at a path.
type file struct {
	contents []content
	uploads  []possible
	// committing is the content whose commit has begun.
	committing content
}

// possible is an upload that may be there, with a size from min to max; Content.ID 0 is none.
type possible struct {
	Content  content
	min, max int64
}

func newModel() *model {
	m := &model{paths: map[string]*file{}, shared: map[string][]content{}, moving: map[string]string{}}
	for w := range workers {
		for n := range own {
			m.paths[ownPath(w, n)] = &file{contents: []content{{}}, uploads: []possible{{}}}
		}
	}
	for n := range shared {
		m.shared[sharedPath(n)] = []content{{}}
	}
	return m
}

// apply takes note of one line.
func (m *model) apply(l line) error {
	if l.Op == opFailed {
		return fmt.Errorf("the child: %s", l.Error)
	}
	if possible, isShared := m.shared[l.Path]; isShared {
		if l.Done { // something is there from now on
			possible = slices.DeleteFunc(possible, func(c content) bool { return c.ID == 0 })
		} else if !l.Lost {
			possible = append(possible, l.Content)
		}
		m.shared[l.Path] = possible
		return nil
	}
	f := m.paths[l.Path]
	if f == nil {
		return fmt.Errorf("the journal names the path %q", l.Path)
	}
	if l.Op == opMove {
		m.move(l, f, m.paths[l.Dest])
		return nil
	}
	if l.Done {
		f.done(l)
	} else {
		f.begin(l)
	}
	return nil
}

func (m *model) move(l line, from, to *file) {
	if l.Done {
		to.contents, from.contents = from.contents[:1], []content{{}}
		from.uploads, to.uploads = []possible{{}}, []possible{{}}
		delete(m.moving, l.Path)
		return
	}
	m.moving[l.Path] = l.Dest
	to.contents = append(to.contents, from.contents...)
	from.contents = append(from.contents, content{})
	from.uploads, to.uploads = append(from.uploads, possible{}), append(to.uploads, possible{})
}

// begin adds what the effect may lead to.
func (f *file) begin(l line) {
	switch l.Op {
	case opPut:
		f.contents = append(f.contents, l.Content)
	case opFresh:
		f.uploads = append(f.uploads, possible{}, possible{l.Content, 2, l.Content.Size})
	case opCommit:
		f.contents, f.committing = append(f.contents, l.Content), l.Content
		f.uploads = append(f.uploads, possible{})
	case opCancel:
		f.uploads = append(f.uploads, possible{})
	case opDelete:
		f.contents, f.uploads = append(f.contents, content{}), append(f.uploads, possible{})
	}
}

// done leaves what an acknowledged effect leads to.
func (f *file) done(l line) {
	switch l.Op {
	case opPut:
		f.contents = []content{l.Content}
	case opFresh:
		f.uploads = []possible{{}, {l.Content, 2, l.Content.Size}}
	case opResume:
		f.uploads = []possible{{l.Content, l.At, l.Content.Size}}
	case opSuspend:
		f.uploads = []possible{{}}
		if l.At > 0 {
			f.uploads = []possible{{l.Content, l.At, l.At}}
		}
	case opCommit:
		f.contents, f.committing = []content{l.Content}, content{}
		f.uploads = []possible{{}}
	case opCancel:
		f.uploads = []possible{{}}
	case opDelete:
		f.contents, f.uploads = []content{{}}, []possible{{}}
	}
}

// upload returns which upload one of size bytes can be; size 0 is none. c is what is at the path.
func (f *file) upload(size int64, c content) (possible, error) {
	for _, p := range f.uploads {
		if p.Content.ID == 0 && size == 0 && f.mayBeNone(c) || p.Content.ID != 0 && p.min <= size && size <= p.max {
			return p, nil
		}
	}
	return possible{}, fmt.Errorf("an upload of %d bytes is left, which none of %+v is, beside %v", size, f.uploads, c)
}

// mayBeNone: a commit that was killed has ended the upload or has not, and took place in the first case only.
func (f *file) mayBeNone(now content) bool {
	if f.committing.ID == 0 || now == f.committing {
		return true
	}
	return !slices.ContainsFunc(f.uploads, func(p possible) bool { return p.Content == f.committing && p.min > 2 })
}
