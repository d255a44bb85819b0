package native

import (
	"context"
	"io"
	"sync"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// pieceSize is what passes from a driver's Stream to its reader at a time. There are two: one is read while the other
// is written, as in the sandbox's buffer of 128 KiB.
const pieceSize = 64 << 10

// Stream returns the reader of content that d answered a read of path with, to be made by its Stream from State. That runs
// beside the reader, from the first Read until it has written what is wanted. The caller closes the reader, which waits until
// the driver has returned; one goroutine uses it.
func (c *Config) Stream(ctx context.Context, d berth.Driver, path string, content *berth.Content) io.ReadCloser {
	s := &made{
		full: make(chan []byte, 1), free: make(chan []byte, 2), gone: make(chan struct{}), over: make(chan struct{}),
		want: content.Length, left: content.Length, ctx: ctx,
	}
	s.body = content.Body
	w := &pieces{s: s, skip: content.Skip, left: content.Length}
	s.run = func() {
		defer close(s.over)
		h := c.NewHost(ctx)
		defer h.Close()
		defer s.closeBody()
		_, err := d.Stream(berth.NewCall(h), path, content.State, content.Body, h.Output(w))
		if err == nil {
			err = w.flush()
		}
		s.err = err
		close(s.full)
	}
	return s
}

// made is what a driver makes, on the reader's side.
type made struct {
	ctx        context.Context
	body       *berth.Stream // of the answer; nil is none
	run        func()
	begun      bool
	closed     sync.Once
	full       chan []byte   // pieces to be read; closed at the end, after err is set
	free       chan []byte   // pieces to be written
	gone       chan struct{} // closed by Close
	over       chan struct{} // closed when the driver has returned
	err        error
	piece      []byte // what is left of the one being read
	read       []byte // that one
	want, left int64
}

func (s *made) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if !s.begun {
		s.begun = true
		s.free <- make([]byte, 0, pieceSize)
		s.free <- make([]byte, 0, pieceSize)
		go s.run()
	}
	if len(s.piece) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.piece)
	s.piece = s.piece[n:]
	s.left -= int64(n)
	return n, nil
}

func (s *made) next() error {
	if s.read != nil {
		s.free <- s.read[:0]
		s.read = nil
	}
	select {
	case piece, more := <-s.full:
		switch {
		case more:
			s.piece, s.read = piece, piece
			return nil
		case s.err != nil:
			return s.err
		}
		return berth.NewError(berth.KindCorrupt, "the driver made less of the content than it promised")
	case <-s.gone:
		return berth.NewError(berth.KindClosed, "the reader is closed")
	case <-s.ctx.Done():
		return contextError(s.ctx.Err())
	}
}

// Close may be called again, and from another goroutine.
func (s *made) Close() error {
	s.closed.Do(func() { close(s.gone) })
	if s.begun {
		<-s.over
		return nil
	}
	s.closeBody()
	return nil
}

// closeBody may be called again.
func (s *made) closeBody() {
	if s.body != nil {
		_ = s.body.Close() // what was read of it is all there is
	}
}

// pieces is made, on the driver's side.
type pieces struct {
	s          *made
	piece      []byte
	skip, left int64 // to be dropped, and wanted
}

func (w *pieces) Write(p []byte) (int, error) {
	size := len(p)
	n := min(w.skip, int64(len(p)))
	w.skip, p = w.skip-n, p[n:]
	for len(p) > 0 {
		if w.left == 0 {
			return 0, errEnough
		}
		if w.piece == nil {
			select {
			case w.piece = <-w.s.free:
			case <-w.s.gone:
				return 0, errEnough
			}
		}
		n := int(min(int64(len(p)), w.left, int64(pieceSize-len(w.piece))))
		w.piece = append(w.piece, p[:n]...)
		w.left, p = w.left-int64(n), p[n:]
		if len(w.piece) == pieceSize || w.left == 0 {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return size, nil
}

var errEnough = berth.NewError(berth.KindCanceled, "the stream's reader has all that it wants, or is gone")

// flush passes on what has been written.
func (w *pieces) flush() error {
	if len(w.piece) == 0 {
		return nil
	}
	select {
	case w.s.full <- w.piece:
		w.piece = nil
		return nil
	case <-w.s.gone:
		return errEnough
	}
}
