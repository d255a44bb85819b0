package webdav

import (
	"bytes"
	"sync/atomic"
)

// shapes are the answers to the last PROPFINDs of one file and of one collection, as far as they are the same
// from one to the next. A server writes all its answers alike, and comparing long pieces costs a guest a
// tenth of reading tags. An answer of any other shape is read in full and learned. They may be used concurrently.
type shapes struct{ file, dir atomic.Pointer[shape] }

// shape is an answer with one response: its bytes with holes where href, length and time are. What is
// between the holes says the rest, so an answer that fits means the same as the one it was learned from.
type shape struct {
	pieces []string  // one more than fields
	fields []element // each at most once
	means  resource
}

// span is where in an answer the whole text of an element is.
type span struct {
	element  element
	from, to int
}

// read returns the only response in data, if data has a shape that is known.
func (s *shapes) read(data []byte) (resource, bool) {
	if known := s.file.Load(); known != nil {
		if r, ok := known.read(data); ok {
			return r, true
		}
	}
	if known := s.dir.Load(); known != nil {
		return known.read(data)
	}
	return resource{}, false
}

func (s *shape) read(data []byte) (resource, bool) {
	r := s.means
	for i, field := range s.fields {
		piece := s.pieces[i]
		if len(data) < len(piece) || string(data[:len(piece)]) != piece {
			return r, false
		}
		data = data[len(piece):]
		end := bytes.IndexByte(data, '<')
		if end < 0 || bytes.IndexByte(data[:end], '&') >= 0 {
			return r, false
		}
		text := trimmed(data[:end])
		data = data[end:]
		switch field {
		case href:
			r.href = string(text)
		case contentLength:
			var ok bool
			if r.size, ok = number(text); !ok {
				return r, false
			}
		case lastModified:
			if r.modTime = httpDate(text); r.modTime.IsZero() {
				return r, false
			}
		}
	}
	return r, string(data) == s.pieces[len(s.fields)]
}

// learn keeps the shape of data, which was read in full and has one response, r. spans are its texts.
func (s *shapes) learn(data []byte, spans []span, r *resource) {
	learned := &shape{means: *r}
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
		learned.pieces = append(learned.pieces, string(data[at:sp.from]))
		learned.fields = append(learned.fields, sp.element)
		at = sp.to
	}
	learned.pieces = append(learned.pieces, string(data[at:]))
	// Learned wrongly is worse than not learned: it must read what it was learned from.
	if again, ok := learned.read(data); !ok || again != *r {
		return
	}
	if r.dir {
		s.dir.Store(learned)
	} else {
		s.file.Store(learned)
	}
}
