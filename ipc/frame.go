package ipc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver/abi"
)

// frameType is the type of a frame. The numbers are those of docs/ipc.md.
type frameType uint8

const (
	frameHello frameType = iota
	frameCall
	frameReply
	frameData
	frameEnd
	frameCredit
	frameCancel
	frameAgain
	frameReceipts
)

var frameNames = [...]string{"HELLO", "CALL", "REPLY", "DATA", "END", "CREDIT", "CANCEL", "AGAIN", "RECEIPTS"}

func (t frameType) String() string {
	if int(t) < len(frameNames) {
		return frameNames[t]
	}
	return fmt.Sprintf("frame %d", uint8(t))
}

const (
	headerSize = 9
	// maxPayload is a message and what stands before it.
	maxPayload = abi.MaxMessage + 16
	// window is the credit that both sides of a body begin with.
	window = 256 << 10
	// chunkSize is what a body is cut into: large enough that a copy costs more than the frame, and a quarter
	// of the window, so that sender and receiver work at the same time.
	chunkSize = 64 << 10
	// smallest is what a buffer of its own is made for: it costs less than to clear a chunk.
	smallest = 4 << 10
)

// frame is one that came. Its payload is the receiver's.
type frame struct {
	call    uint32
	kind    frameType
	payload []byte
}

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// room returns a buffer of n bytes, which giveBack may take.
func room(n int) []byte {
	if n > chunkSize || n <= smallest {
		return make([]byte, n)
	}
	return chunks.Get().(*[chunkSize]byte)[:n]
}

// giveBack takes a buffer of room, which nobody uses any more.
func giveBack(b []byte) {
	if cap(b) == chunkSize {
		chunks.Put((*[chunkSize]byte)(b[:chunkSize]))
	}
}

// violation is what breaks a rule of docs/ipc.md.
type violation struct{ text string }

func (v violation) Error() string { return v.text }

func violated(format string, args ...any) error { return violation{fmt.Sprintf(format, args...)} }

// receiver reads frames. One goroutine uses it.
type receiver struct{ r *bufio.Reader }

func newReceiver(r io.Reader) *receiver { return &receiver{bufio.NewReaderSize(r, 32<<10)} }

// next returns the next frame; io.EOF is an end between two frames, io.ErrUnexpectedEOF is wrapped by one within a frame. The payload of DATA is of room.
func (r *receiver) next() (frame, error) {
	header, err := r.r.Peek(headerSize)
	if err != nil {
		if err == io.EOF && len(header) > 0 {
			err = fmt.Errorf("the socket ended in a frame's header: %w", io.ErrUnexpectedEOF)
		}
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(header)
	f := frame{call: binary.BigEndian.Uint32(header[4:]), kind: frameType(header[8])}
	switch {
	case int(f.kind) >= len(frameNames):
		return frame{}, violated("a frame of type %d, which there is not", f.kind)
	case length > maxPayload:
		return frame{}, violated("a %v frame of %d bytes, more than %d", f.kind, length, maxPayload)
	}
	_, _ = r.r.Discard(headerSize) // they are buffered
	if f.kind == frameData {
		f.payload = room(int(length))
	} else {
		f.payload = make([]byte, length)
	}
	if _, err := io.ReadFull(r.r, f.payload); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the socket ended in a %v frame: %w", f.kind, io.ErrUnexpectedEOF)
		}
		return frame{}, err
	}
	return f, nil
}

// sender writes frames, each in one piece. It may be used concurrently.
type sender struct {
	turn    chan struct{} // holds one while somebody writes
	w       net.Conn
	timeout time.Duration // the longest that one write may take; 0: for ever
	broken  func(error)   // is told of the error after which nothing more can be sent, once; nil: nobody is

	// Whoever has the turn has these.
	header [headerSize]byte
	vector [2][]byte
	small  []byte
	err    error

	mu       sync.Mutex
	writing  uint32 // the call that has the turn; 0: another, or none
	released bool   // its write goes on without it
}

func newSender(w net.Conn, timeout time.Duration, broken func(error)) *sender {
	return &sender{turn: make(chan struct{}, 1), w: w, timeout: timeout, broken: broken}
}

// errUnsent is the error of a frame of which nothing was or will be sent, because its context ended first.
var errUnsent = errors.New("not sent")

// send writes a frame, which is sent whole or, with errUnsent, not at all. It waits for its turn no longer than ctx lasts. payload is the caller's again
// when send returns. After another error but that of ctx nothing more can be sent, and the error is always the same.
func (s *sender) send(ctx context.Context, call uint32, kind frameType, payload []byte) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return errUnsent
	}
	if s.err != nil {
		err := s.err
		<-s.turn
		return err
	}
	if !s.claim(ctx, call) {
		<-s.turn
		return errUnsent
	}
	rest, err := s.write(call, kind, payload)
	if s.unclaim() && errors.Is(err, os.ErrDeadlineExceeded) {
		go s.complete(bytes.Join(rest, nil)) // it has the turn
		return ctx.Err()
	}
	return s.done(err)
}

// claim begins a write, unless ctx has ended: what release was called for does not begin another.
func (s *sender) claim(ctx context.Context, call uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	s.writing = call
	s.setDeadline()
	return true
}

// setDeadline gives the write that begins its time. s.mu is held.
func (s *sender) setDeadline() {
	if s.timeout > 0 {
		_ = s.w.SetWriteDeadline(time.Now().Add(s.timeout)) // on a socket that is closed the write fails
	}
}

// unclaim ends a write, and reports whether it was released.
func (s *sender) unclaim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	released := s.released
	s.writing, s.released = 0, false
	return released
}

// release lets a send of the call return, if it writes now, though the other side does not read: what is left of the frame is copied and
// sent later. The sender has a timeout.
func (s *sender) release(call uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if call != 0 && s.writing == call {
		s.released = true
		_ = s.w.SetWriteDeadline(time.Unix(1, 0)) // on a socket that is closed the write fails
	}
}

// complete writes the rest of a frame that was released, and gives the turn back.
func (s *sender) complete(rest []byte) {
	s.mu.Lock()
	s.setDeadline()
	s.mu.Unlock()
	_, err := s.w.Write(rest)
	_ = s.done(err) // s.broken was told
}

// done gives the turn back after a write that had an error, or none.
func (s *sender) done(err error) error {
	s.err = err
	if err != nil && s.broken != nil {
		s.broken(err)
	}
	<-s.turn
	return err
}

// write writes a frame, and returns what of it was not written.
func (s *sender) write(call uint32, kind frameType, payload []byte) (rest net.Buffers, err error) {
	binary.BigEndian.PutUint32(s.header[:], uint32(len(payload)))
	binary.BigEndian.PutUint32(s.header[4:], call)
	s.header[8] = byte(kind)
	if len(payload) <= smallest {
		s.small = append(append(s.small[:0], s.header[:]...), payload...)
		n, err := s.w.Write(s.small)
		if err != nil {
			rest = net.Buffers{s.small[n:]}
		}
		return rest, err
	}
	s.vector = [2][]byte{s.header[:], payload}
	rest = s.vector[:]
	_, err = rest.WriteTo(s.w)
	if err == nil {
		s.vector = [2][]byte{}
	}
	return rest, err
}

// sendNumber writes a frame whose payload is a number.
func (s *sender) sendNumber(ctx context.Context, call uint32, kind frameType, n uint32) error {
	return s.send(ctx, call, kind, binary.BigEndian.AppendUint32(nil, n))
}
