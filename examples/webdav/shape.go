package webdav

import (
	"bytes"
	"sync/atomic"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// shapes are the answers to the last PROPFINDs about one file and about one collection, as far as they are the same
// from one to the next. A server writes all its answers alike, and comparing long pieces costs a guest a
// tenth of reading tags. An answer of any other shape is read in full and learned. They may be used concurrently.
type shapes struct{ file, dir atomic.Pointer[shape] }

// shape is an answer with one response: its bytes with holes where href, length and time are. What is
// between the holes says the rest, so an answer that fits means the same as the one it was learned from.
type shape struct {
	pieces []piece // each ends where a text begins
	last   string  // what follows the last text
	means  resource
}

// piece is what comes before a text, and what that is.
type piece struct {
	before string
	text   element // each at most once
}

// span is where in an answer the whole text of an element is.
type span struct {
	element  element
	from, to int
}

// read puts the only response of a PROPFIND's answer into r, without its href, if the answer has a shape that is
// known.
func (s *shapes) read(resp *berth.Response, r *resource) bool {
	if resp.Status != 207 || resp.Body != nil {
		return false
	}
	if known := s.file.Load(); known != nil && known.read(resp.Data, r) {
		return true
	}
	known := s.dir.Load()
	return known != nil && known.read(resp.Data, r)
}

func (s *shape) read(data []byte, r *resource) bool {
	*r = s.means
	for i := range s.pieces {
		p := &s.pieces[i]
		if !berth.HasPrefix(data, p.before) {
			return false
		}
		data = data[len(p.before):]
		end := bytes.IndexByte(data, '<')
		if end < 0 || !p.text.read(data[:end], r) {
			return false
		}
		data = data[end:]
	}
	return len(data) == len(s.last) && berth.HasPrefix(data, s.last)
}

// read puts the text of an element into r, if it is as plain as it mostly is.
func (e element) read(text []byte, r *resource) (ok bool) {
	switch e {
	case contentLength:
		r.size, ok = number(trimmed(text))
	case lastModified:
		r.modTime = httpDate(trimmed(text))
		ok = !r.modTime.IsZero()
	default:
		ok = bytes.IndexByte(text, '&') < 0
	}
	return ok
}

// learn keeps the shape of data, which was read in full and has one response, r, if that says all that
// there is to say. spans are its texts.
func (s *shapes) learn(data []byte, spans []span, r *resource) {
	if !r.found || r.status != 0 || !r.dir && r.size < 0 {
		return
	}
	learned := &shape{means: *r}
	learned.means.href = ""
	var seen [lastModified + 1]bool
	at := 0
	for _, sp := range spans {
		if sp.element == status {
			continue // part of a piece: another status is another shape
		}
		if seen[sp.element] {
			return
		}
		seen[sp.element] = true
		learned.pieces = append(learned.pieces, piece{string(data[at:sp.from]), sp.element})
		at = sp.to
	}
	learned.last = string(data[at:])
	// Learned wrongly is worse than not learned: it must read what it was learned from.
	var again resource
	if !learned.read(data, &again) || again != learned.means {
		return
	}
	if r.dir {
		s.dir.Store(learned)
	} else {
		s.file.Store(learned)
	}
}
