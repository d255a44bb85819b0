package runtime

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

const (
	// maxPiece is the most bytes of an upload that a guest transforms at a time.
	maxPiece = 4 << 20
	// maxMade is the most bytes that it may make of them, and of an end: those of content in hexadecimal, and room. They are
	// kept until the store has them, so that nothing of a piece that fails is in the store.
	maxMade = 2*maxPiece + 64<<10
)

// transformation is an upload whose content passes through a guest on its way into a store.
type transformation struct {
	d    *driver
	path string // the guest's
	dest string // the store's, as the guest names it
}

type transformationKey struct{}

// with returns the context under which the store's Writer transforms.
func (t *transformation) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, transformationKey{}, t)
}

// under returns the context under which the store does a delegated upload.
func (u *delegation) under(ctx context.Context) context.Context {
	dest, err := u.dest()
	if !u.transform || err != nil { // of which the store says the same
		return ctx
	}
	return (&transformation{d: u.d, path: u.path, dest: dest}).with(ctx)
}

// kept is a sink that keeps what is written.
type kept struct {
	content []byte
	over    bool
}

// write implements sink.
func (s *kept) write(p []byte) error {
	if len(s.content)+len(p) > maxMade {
		s.over = true
		return s.failure()
	}
	s.content = append(s.content, p...)
	return nil
}

// failure is what a guest's call comes to that wrote too much, whatever the guest made of it.
func (s *kept) failure() error {
	if !s.over {
		return nil
	}
	return storagedriver.Errorf(storagedriver.KindLimit, "the driver makes more than %d bytes of a piece of an upload of at most %d", maxMade, maxPiece)
}

// abort implements sink.
func (*kept) abort() {}

// piece has the guest transform a piece, which must not change any more, and returns what it made of it and its next state.
func (t *transformation) piece(ctx context.Context, state, piece []byte) (content, next []byte, err error) {
	in, err := t.d.streams.acquire(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	defer t.d.streams.release(in, nil)
	request := abi.StreamRequest{Path: t.path, State: state}
	if request.Body, request.Size, err = in.lend(storagedriver.BytesSource(piece)); err != nil {
		return nil, nil, err
	}
	var sink kept
	if request.Sink, err = in.table.add(slot{kind: kindSink, sink: &sink}); err != nil {
		return nil, nil, err
	}
	var reply abi.StreamReply
	err = in.call(abi.OpStream, &request, &reply)
	switch {
	case sink.over:
		return nil, nil, sink.failure()
	case err != nil:
		return nil, nil, err
	case len(reply.State) > abi.MaxState:
		return nil, nil, in.fault(abi.OpStream, fmt.Errorf("a state of %d bytes, more than %d", len(reply.State), abi.MaxState))
	}
	return sink.content, reply.State, nil
}

// end asks the guest for the end of an upload of size bytes, which may become visible unless that is an error. Like
// committing of delegations it does not wait for calls that may wait for the upload's memory.
func (t *transformation) end(ctx context.Context, size int64, state []byte) ([]byte, error) {
	in, err := t.d.acquire(t.d.pool.feed(ctx))
	if err != nil {
		return nil, err
	}
	defer t.d.release(in)
	request := abi.CommittingRequest{Path: t.path, Size: size, State: state}
	var sink kept
	if request.Sink, err = in.table.add(slot{kind: kindSink, sink: &sink}); err != nil {
		return nil, err
	}
	err = in.call(abi.OpCommitting, &request, &abi.Empty{})
	if sink.over {
		err = sink.failure()
	}
	return sink.content, err
}
