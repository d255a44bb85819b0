package runtime

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// closePatience is how long closing a stream waits for its guest to end its call by itself, and again after the call's
// context was ended. It is over in microseconds unless the guest waits for something else, or never ends.
const closePatience = 100 * time.Millisecond

// stream is the reader of bytes that a guest makes. The first Read begins it: until then it holds no instance, and with
// the last byte written none again. One goroutine reads; Close may be called from another.
type stream struct {
	d     *driver
	ctx   context.Context // of the Read that was answered with it
	path  string
	state []byte
	pipe  *pipe
	err   error // what every further Read answers

	mu     sync.Mutex
	body   body // of the reply, until the guest's call has it; nil without
	begun  bool
	closed bool
	unhook func() bool        // from ctx
	cancel context.CancelFunc // ends the guest's call
	over   chan struct{}      // closed when the call is
	slots  chan struct{}      // whose slot it has; nil without. By streamLane.mu
}

var _ io.WriterTo = (*stream)(nil)

// checkStream holds a reply with a stream against docs/abi.md.
func (d *driver) checkStream(reply *abi.ReadReply) error {
	switch {
	case len(reply.Data) > 0:
		return fmt.Errorf("it answers with a stream and with data")
	case d.m.manifest.Instances == 1:
		return fmt.Errorf("it answers with a stream and keeps its state in one instance")
	case len(reply.Stream) > abi.MaxState:
		return fmt.Errorf("a stream's state of %d bytes, more than %d", len(reply.Stream), abi.MaxState)
	case reply.Skip > abi.MaxSkip:
		return fmt.Errorf("a stream that begins %d bytes early, more than %d", reply.Skip, abi.MaxSkip)
	}
	return nil
}

// stream returns the reader that a reply with a stream promises.
func (in *instance) stream(ctx context.Context, path string, reply *abi.ReadReply) (*stream, error) {
	if err := in.d.checkStream(reply); err != nil {
		return nil, in.fault(abi.OpRead, err)
	}
	s := &stream{d: in.d, ctx: ctx, path: path, state: reply.Stream, pipe: newPipe(reply.Skip, reply.Len)}
	var err error
	if reply.Body != 0 && reply.Len > 0 {
		s.body, err = in.takeBody(abi.OpRead, reply.Body)
	}
	return s, err
}

// takeBody takes the body out of the stream; nil when there is none any more.
func (s *stream) takeBody() body {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.body
	s.body = nil
	return b
}

func (s *stream) closeBody() {
	if b := s.takeBody(); b != nil {
		_ = b.Close() // nobody wants it
	}
}

// begin has the guest called, once.
func (s *stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun || s.closed || s.pipe.want == 0 {
		return
	}
	s.begun = true
	s.over = make(chan struct{})
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(s.ctx)
	s.unhook = context.AfterFunc(s.ctx, func() { s.pipe.fail(guest.ContextError(s.ctx.Err())) })
	s.d.streams.add(s)
	go func() {
		defer close(s.over)
		defer s.closeBody()
		s.pipe.end(s.run(ctx))
	}()
}

// run is the guest's call.
func (s *stream) run(ctx context.Context) error {
	in, err := s.d.streams.acquire(ctx, s)
	if err != nil {
		return err
	}
	defer s.d.streams.release(in, s)
	request := abi.StreamRequest{Path: s.path, State: s.state}
	s.state = nil
	if request.Sink, err = in.table.add(slot{kind: kindSink, sink: s.pipe}); err != nil {
		return err
	}
	if b := s.takeBody(); b != nil {
		request.Size = max(b.Left(), 0)
		if request.Body, err = in.table.add(slot{kind: kindBody, body: b}); err != nil {
			_ = b.Close()
			return err
		}
	}
	err = in.call(abi.OpStream, &request, &abi.StreamReply{})
	s.pipe.end(err) // before the instance is given back, which may close it
	return err
}

// Read implements io.Reader. It waits for an instance of the stream lane, and for the guest.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	s.begin()
	b, err := s.pipe.next(len(p))
	if err != nil {
		s.err = err
		return 0, err
	}
	n := copy(p, b)
	s.err = s.pipe.took(n)
	return n, s.err
}

// WriteTo implements io.WriterTo. It needs no buffer but the pipe's.
func (s *stream) WriteTo(w io.Writer) (total int64, err error) {
	s.begin()
	for s.err == nil {
		b, err := s.pipe.next(pipeSize)
		if err != nil {
			s.err = err
			break
		}
		n, err := w.Write(b)
		n = min(max(n, 0), len(b))
		total += int64(n)
		if n < len(b) && err == nil {
			err = io.ErrShortWrite
		}
		s.err = s.pipe.took(n)
		if err != nil {
			return total, err
		}
	}
	if s.err == io.EOF {
		return total, nil
	}
	return total, s.err
}

// Close implements io.Closer. A guest that goes on after it keeps its instance of the lane, and nothing else.
func (s *stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	begun := s.begun
	s.mu.Unlock()
	complete := s.pipe.complete()
	s.pipe.fail(storagedriver.NewError(storagedriver.KindClosed, "the reader is closed"))
	if !begun {
		s.closeBody()
		return nil
	}
	s.unhook()
	s.d.streams.remove(s)
	defer s.cancel()
	if complete && s.isOver() { // its connections may be used again
		return nil
	}
	s.cancel()
	s.isOver()
	return nil
}

// isOver waits a little for the guest's call to end.
func (s *stream) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
	}
	late := time.NewTimer(closePatience)
	defer late.Stop()
	select {
	case <-s.over:
		return true
	case <-late.C:
		return false
	}
}
