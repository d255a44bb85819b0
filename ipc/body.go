package ipc

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// inflow is a body that comes in DATA frames. One goroutine reads it; another, which receives the frames,
// never waits for it.
type inflow struct {
	// grant gives the sender credit. It is called by the reader.
	grant func(n int)

	ready    chan struct{} // has one when there may be something new
	granting sync.Mutex    // held by the reader from the decision to grant until grant has returned

	mu      sync.Mutex
	chunks  [][]byte
	head    int // bytes of chunks[0] that are consumed
	allowed int // bytes that the sender may still send
	used    int // bytes consumed that the sender was not told of
	err     error
	gone    bool // nobody reads any more
}

func newInflow(grant func(n int)) *inflow {
	return &inflow{grant: grant, ready: make(chan struct{}, 1), allowed: window}
}

// push takes a chunk of room over. An error is a violation.
func (f *inflow) push(chunk []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(chunk) == 0:
		return violated("a DATA frame without a byte")
	case len(chunk) > f.allowed:
		return violated("%d bytes of DATA with a credit of %d", len(chunk), f.allowed)
	case f.err != nil && !f.gone:
		return violated("DATA after the body's end")
	}
	f.allowed -= len(chunk)
	if f.gone {
		giveBack(chunk)
		return nil
	}
	f.keep(chunk)
	f.wake()
	return nil
}

// keep adds a chunk to those that wait for the reader. Credit counts bytes, so that many short ones must not cost more than a few long
// ones: they share a chunk. f.mu is held.
func (f *inflow) keep(chunk []byte) {
	last := len(f.chunks) - 1
	if last >= 0 && len(chunk) < chunkSize/2 {
		if cap(f.chunks[last])-len(f.chunks[last]) >= len(chunk) {
			f.chunks[last] = append(f.chunks[last], chunk...) // behind what the reader may be at
			giveBack(chunk)
			return
		}
		if cap(chunk) < chunkSize {
			chunk = append(room(chunkSize)[:0], chunk...)
		}
	}
	f.chunks = append(f.chunks, chunk)
}

func (f *inflow) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// end says that nothing more comes: io.EOF, or what went wrong. The first that is said counts.
func (f *inflow) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.wake()
}

// drop throws away what has come and will come. The sender gets no more credit.
func (f *inflow) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chunks, f.head, f.gone = nil, 0, true // a reader may be at one of them: no giveBack
	f.wake()
}

// retire is drop, and waits until the sender was told of all credit that it gets.
func (f *inflow) retire() {
	f.drop()
	f.granting.Lock()
	defer f.granting.Unlock()
}

var errDropped error = storagedriver.NewError(storagedriver.KindClosed, "the body was closed")

// wait returns the bytes that are there, of the first chunk, and waits for some. They are the caller's until consume.
func (f *inflow) wait(ctx context.Context) ([]byte, error) {
	for {
		f.mu.Lock()
		switch {
		case f.gone:
			f.mu.Unlock()
			if err := ctx.Err(); err != nil {
				return nil, guest.ContextError(err)
			}
			return nil, errDropped
		case len(f.chunks) > 0:
			b := f.chunks[0][f.head:]
			f.mu.Unlock()
			return b, nil
		case f.err != nil:
			err := f.err
			f.mu.Unlock()
			return nil, err
		}
		f.mu.Unlock()
		select {
		case <-f.ready:
		case <-ctx.Done():
			return nil, guest.ContextError(ctx.Err())
		}
	}
}

// consume says that the first n bytes were used.
func (f *inflow) consume(n int) {
	f.granting.Lock()
	defer f.granting.Unlock()
	f.mu.Lock()
	if len(f.chunks) > 0 { // it may have been dropped meanwhile
		f.head += n
		if f.head == len(f.chunks[0]) {
			giveBack(f.chunks[0])
			f.chunks[0] = nil
			f.chunks, f.head = f.chunks[1:], 0
		}
	}
	f.used += n
	grant := 0
	// Half a window at a time: less costs a frame each, more leaves the sender waiting.
	if f.used >= window/2 && f.err == nil && !f.gone {
		grant, f.used = f.used, 0
		f.allowed += grant
	}
	f.mu.Unlock()
	if grant > 0 {
		f.grant(grant)
	}
}

// inflowReader reads an inflow under a context.
type inflowReader struct {
	f   *inflow
	ctx context.Context
}

func (r inflowReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.f.wait(r.ctx)
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	r.f.consume(n)
	return n, nil
}

// WriteTo implements io.WriterTo: without a copy.
func (r inflowReader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		b, err := r.f.wait(r.ctx)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(b)
		r.f.consume(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// outflow sends a body in DATA frames as there is credit.
type outflow struct {
	send func(ctx context.Context, kind frameType, payload []byte) error

	ready chan struct{} // has one when there may be credit

	rest atomic.Int64 // bytes that are not sent yet; more than none before the body was opened

	mu     sync.Mutex
	credit int
	again  bool // the other side wants the body from its first byte
}

func newOutflow(send func(ctx context.Context, kind frameType, payload []byte) error) *outflow {
	o := &outflow{send: send, ready: make(chan struct{}, 1), credit: window}
	o.rest.Store(1)
	return o
}

func (o *outflow) add(n uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.credit += int(n); o.credit > window {
		return violated("CREDIT of %d bytes, which makes %d, more than the window", n, o.credit)
	}
	o.wake()
	return nil
}

func (o *outflow) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.again = true
	o.wake()
}

// awaitAgain waits, after all was sent, until the other side wants it again (errAgain) or ctx ends.
func (o *outflow) awaitAgain(ctx context.Context) error {
	for {
		o.mu.Lock()
		again := o.again
		o.mu.Unlock()
		if again {
			return errAgain
		}
		select {
		case <-o.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reset begins anew.
func (o *outflow) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credit, o.again = window, false
}

func (o *outflow) wake() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// errAgain stops the sending of a body that is to begin anew.
var errAgain = errors.New("again")

// take waits for credit, and returns how many of n bytes there is some for.
func (o *outflow) take(ctx context.Context, n int) (int, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		o.mu.Lock()
		if o.again {
			o.mu.Unlock()
			return 0, errAgain
		}
		if o.credit > 0 {
			n = min(n, o.credit, chunkSize)
			o.credit -= n
			o.mu.Unlock()
			return n, nil
		}
		o.mu.Unlock()
		select {
		case <-o.ready:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// outflowWriter is where a body is written to.
type outflowWriter struct {
	o    *outflow
	ctx  context.Context
	left int64
	err  error // the outflow's, as against the body's
}

func (w *outflowWriter) Write(p []byte) (total int, err error) {
	if int64(len(p)) > w.left {
		return 0, storagedriver.NewError(storagedriver.KindCorrupt, "the body goes on after the promised bytes")
	}
	for len(p) > 0 {
		n, err := w.o.take(w.ctx, len(p))
		if err == nil {
			w.o.rest.Store(w.left - int64(n)) // before the other side can answer it
			err = w.o.send(w.ctx, frameData, p[:n])
		}
		if err != nil {
			w.err = err
			return total, err
		}
		total += n
		w.left -= int64(n)
		p = p[n:]
	}
	return total, nil
}

// copyContent sends size bytes of r, without what ends them. The error is that of reading or of sending.
func (o *outflow) copyContent(ctx context.Context, r io.Reader, size int64) error {
	w := &outflowWriter{o: o, ctx: ctx, left: size}
	o.rest.Store(size)
	buffer := room(chunkSize)
	defer giveBack(buffer)
	_, err := io.CopyBuffer(w, r, buffer)
	switch {
	case w.err != nil:
		return sendError{w.err}
	case err == nil && w.left > 0:
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "the body ended %d bytes before its size of %d", w.left, size)
	}
	return err
}

// sendError is an error of sending, as against one of what is sent.
type sendError struct{ error }

func (e sendError) Unwrap() error { return e.error }
