package berth

import "unsafe"

// A guest's memory is asked for in large pieces, from which small values are cut: one allocation runs a dozen of
// the runtime's functions, each cold by the time the next operation comes. What is cut off is never
// used again, so values live as long as anybody holds them; with them lives their whole piece.

// pieceSize is that of a piece of text: the paths of some fifty operations.
const pieceSize = 4 << 10

// texts cuts strings from pieces.
type texts struct{ free []byte }

// copy returns b as a string of its own.
func (t *texts) copy(b []byte) string {
	if len(b) > len(t.free) {
		if len(b) > pieceSize/4 {
			return string(b)
		}
		t.free = make([]byte, pieceSize)
	}
	n := copy(t.free, b)
	s := unsafe.String(unsafe.SliceData(t.free), n)
	t.free = t.free[n:]
	return s
}

// join returns the parts in one string.
func (t *texts) join(parts []string) string {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > len(t.free) {
		if size > pieceSize/4 {
			return joined(parts)
		}
		t.free = make([]byte, pieceSize)
	}
	s := unsafe.String(unsafe.SliceData(t.free), size)
	for _, p := range parts {
		t.free = t.free[copy(t.free, p):]
	}
	return s
}

func joined(parts []string) string {
	s := ""
	for _, p := range parts {
		s += p
	}
	return s
}

// answer is a response and its body, or only the body of an operation.
type answer struct {
	response Response
	body     Stream
	handle   handle
}

// answers cuts responses from pieces.
type answers struct{ free []answer }

func (a *answers) next() *answer {
	if len(a.free) == 0 {
		a.free = make([]answer, 8)
	}
	next := &a.free[0]
	a.free = a.free[1:]
	return next
}

// replyPiece is what replies are read into. A reply whose bytes the driver is given is cut off, so that they
// need not be copied; replyRoom is what is left at least for the next one.
const (
	replyPiece = 32 << 10
	replyRoom  = 4 << 10
)

// replies is the buffer for the host's replies.
type replies struct{ free []byte }

func (r *replies) room() []byte {
	if len(r.free) < replyRoom {
		r.free = make([]byte, replyPiece)
	}
	return r.free
}

// keep cuts off the first n bytes of the room.
func (r *replies) keep(n int) { r.free = r.free[n:] }
