package runtime

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

type handleKind uint8

const (
	kindFree handleKind = iota
	kindSource
	kindBody
	kindSink
	kindReceipts
	kindKey
)

var handleNames = [...]string{"nothing", "a source", "a body", "a sink", "receipts", "a key"}

// slot is what a handle names. One of the others is set, as kind says.
type slot struct {
	generation uint32
	kind       handleKind
	source     *source
	body       body
	sink       sink
	receipts   *receipts
	key        *key
}

// body is bytes that a guest may read, splice, name in a request, or answer with.
type body interface {
	io.ReadCloser
	// Left is how many bytes are still to come, -1 when that is not known.
	Left() int64
	// Hold lets the body outlive the call that it was made in: from then on it ends when it is closed, or
	// the driver is.
	Hold() error
	// checkRead and checkTail hold the body against what a guest answers with it: length bytes, in
	// checkRead from off in the object.
	checkRead(off, length int64) error
	checkTail(length int64) error
}

// sink is what a guest may write to. Each kind of it is finished in its own way.
type sink interface {
	// write takes all of p, which is not kept.
	write(p []byte) error
	// abort ends it so that nothing of it takes effect, and waits until nothing of it runs.
	abort()
}

// handles is the table of one instance. It outlives calls, so that generations do and a
// handle of an earlier call is stale in a later one.
type handles struct {
	slots []slot
	free  []uint32
}

var errHandles error = storagedriver.Errorf(storagedriver.KindLimit, "more than %d handles in one call", abi.MaxHandles)

// add puts s into the table.
func (h *handles) add(s slot) (abi.Handle, error) {
	var i uint32
	switch {
	case len(h.free) > 0:
		i = h.free[len(h.free)-1]
		h.free = h.free[:len(h.free)-1]
	case len(h.slots) < abi.MaxHandles:
		i = uint32(len(h.slots))
		h.slots = append(h.slots, slot{})
	default:
		return 0, errHandles
	}
	s.generation = h.slots[i].generation%(1<<31-1) + 1 // never 0, and the handle stays positive
	h.slots[i] = s
	return abi.Handle(int64(s.generation)<<32 | int64(i)), nil
}

// get returns the slot of a handle. Which kinds are wanted is the caller's to check.
func (h *handles) get(handle abi.Handle) (*slot, error) {
	i, generation := uint32(handle), uint32(handle>>32)
	if handle <= 0 || int64(i) >= int64(len(h.slots)) || h.slots[i].kind == kindFree || h.slots[i].generation != generation {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the handle %#x is not open in this call", int64(handle))
	}
	return &h.slots[i], nil
}

// want is get for one kind.
func (h *handles) want(handle abi.Handle, kind handleKind) (*slot, error) {
	s, err := h.get(handle)
	if err == nil && s.kind != kind {
		return nil, wrongKind(handle, s.kind, handleNames[kind])
	}
	return s, err
}

func wrongKind(handle abi.Handle, is handleKind, want string) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the handle %#x is %s, not %s", int64(handle), handleNames[is], want)
}

// remove takes a handle's slot out of the table, without closing what it names.
func (h *handles) remove(handle abi.Handle) {
	i := uint32(handle)
	h.slots[i] = slot{generation: h.slots[i].generation}
	h.free = append(h.free, i)
}

// closeAll closes what the call left open.
func (h *handles) closeAll() {
	for i := range h.slots {
		if s := &h.slots[i]; s.kind != kindFree {
			s.close()
			h.slots[i] = slot{generation: s.generation}
			h.free = append(h.free, uint32(i))
		}
	}
}

// close frees what the slot names. Failures of closing say nothing that the call's own
// outcome does not.
func (s *slot) close() {
	switch s.kind {
	case kindSource:
		s.source.close()
	case kindBody:
		_ = s.body.Close()
	case kindSink:
		s.sink.abort()
	}
}

// source is a body that the host lends to a call. Reading it opens it.
type source struct {
	src  storagedriver.Source
	ctx  context.Context
	open io.ReadCloser
}

func (s *source) Read(p []byte) (int, error) {
	if s.open == nil {
		r, err := s.src.Open(s.ctx)
		if err != nil {
			return 0, err
		}
		s.open = storagedriver.ExactBody(r, s.src.Size())
	}
	return s.open.Read(p)
}

func (s *source) close() {
	if s.open != nil {
		_ = s.open.Close() // of a reader: what was read is all there is
		s.open = nil
	}
}

// receipts is the table behind a handle. Only tables that the guest fills may be set.
type receipts struct {
	table *storagedriver.Receipts
	fill  bool
}
