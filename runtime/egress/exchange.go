package egress

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
)

// exchange is one request and its response. A single timer watches it for progress.
type exchange struct {
	origin Origin
	ctx    context.Context
	cancel context.CancelCauseFunc
	resp   Response // here, and body, so as to be allocated together
	body   Body

	timer *time.Timer
	limit atomic.Int64  // no progress for so long ends it
	sends atomic.Uint64 // odd while the other side is waited for, until it answers
	reads atomic.Uint64 // 0 until then; odd while more of the response is waited for
	seen  uint64        // steps when the timer last fired; the timer's alone
	stuck int           // how often it fired since; the timer's alone
	ended func()        // may be nil

	mu   sync.Mutex
	sent []*sentBody // bodies handed to net/http
}

// ticks is how many times the timer fires within the limit: what ends for lack of
// progress does so within a limit and a quarter.
const ticks = 4

// watch begins the wait for the response, which may last for limit.
func (x *exchange) watch(limit time.Duration) {
	x.limit.Store(int64(limit))
	x.sends.Store(1)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.timer = time.AfterFunc(limit/ticks, x.tick)
}

// answered ends the wait for the response: from now on waiting is reading, whatever is
// still being sent, and it has another limit.
func (x *exchange) answered(limit time.Duration) {
	x.reads.Store(answeredBit)
	if x.limit.Swap(int64(limit)) == int64(limit) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.timer.Reset(limit / ticks)
}

// answeredBit is in reads and never in sends.
const answeredBit = 1 << 63

func (x *exchange) tick() {
	if x.ctx.Err() != nil {
		return // also when nobody ever closes the body
	}
	steps := x.reads.Load()
	if steps == 0 {
		steps = x.sends.Load()
	}
	limit := time.Duration(x.limit.Load())
	if steps != x.seen || steps%2 == 0 {
		x.seen, x.stuck = steps, 0
	} else if x.stuck++; x.stuck >= ticks {
		x.cancel(&storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: fmt.Errorf("%s made no progress for %v", x.origin, limit)})
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil {
		x.timer.Reset(limit / ticks)
	}
}

// end stops the exchange: nothing of it touches the network or the request's body
// afterwards.
func (x *exchange) end(cause error) {
	x.cancel(cause)
	x.mu.Lock()
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
	sent := x.sent
	x.sent = nil
	x.mu.Unlock()
	for _, b := range sent {
		b.detach()
	}
	if x.ended != nil {
		x.ended()
	}
}

// inMemory is the longest body that is sent at once with its headers. There is no waiting
// for more of it, so nobody watches its progress.
const inMemory = bufferSize / 2

// attach gives req the body of r.
func (x *exchange) attach(req *http.Request, r *Request) error {
	req.ContentLength = r.Size
	source := r.Open
	switch n := len(r.Data); {
	case n > inMemory:
		req.ContentLength, source = int64(n), storagedriver.BytesSource(r.Data).Open
	case n > 0: // of types by which net/http knows that reading them is no waiting
		req.ContentLength = int64(n)
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Data)), nil }
		req.Body, _ = req.GetBody() // never fails
		return nil
	case r.Size == 0 || source == nil:
		return nil
	}
	open := func() (io.ReadCloser, error) {
		body, err := source(x.ctx)
		if err != nil {
			return nil, err
		}
		b := &sentBody{x: x, r: body}
		x.mu.Lock()
		x.sent = append(x.sent, b)
		x.mu.Unlock()
		return b, nil
	}
	body, err := open()
	if err != nil {
		return err
	}
	req.Body = body
	if !r.Once {
		req.GetBody = open
	}
	return nil
}

// bodyError is what reading a request's body failed with.
func (x *exchange) bodyError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.sent {
		b.mu.Lock()
		err := b.err
		b.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// sentBody is a request's body. net/http may go on reading it after it has answered, when
// its owner has long been told that it is free: detach ends that.
type sentBody struct {
	x *exchange

	mu  sync.Mutex
	r   io.ReadCloser // nil once closed
	err error         // what reading it failed with, but for io.EOF
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, storagedriver.NewError(storagedriver.KindClosed, "the request's body was closed")
	}
	b.x.sends.Add(1) // the other side took what it had; now the wait is for us
	n, err := b.r.Read(p)
	b.x.sends.Add(1)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return nil
	}
	err := b.r.Close()
	b.r = nil
	return err
}

func (b *sentBody) detach() { _ = b.Close() } // the reader's error came with Read
