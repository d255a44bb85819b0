package egress

import (
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

	timer *time.Timer
	limit atomic.Int64  // no progress for so long ends it
	steps atomic.Uint64 // odd while somebody waits for the network
	seen  uint64        // steps when the timer last fired; the timer's alone
	stuck int           // how often it fired since; the timer's alone

	mu   sync.Mutex
	sent []*sentBody // bodies handed to net/http
}

// ticks is how many times the timer fires within the limit: what ends for lack of
// progress does so within a limit and a quarter.
const ticks = 4

// watch begins the wait for the response, which may last for limit.
func (x *exchange) watch(limit time.Duration) {
	x.limit.Store(int64(limit))
	x.steps.Store(1)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.timer = time.AfterFunc(limit/ticks, x.tick)
}

// relimit changes the limit, from now on.
func (x *exchange) relimit(limit time.Duration) {
	if x.limit.Swap(int64(limit)) == int64(limit) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.timer.Reset(limit / ticks)
}

func (x *exchange) tick() {
	steps := x.steps.Load()
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
	x.timer.Stop()
	x.timer = nil
	sent := x.sent
	x.sent = nil
	x.mu.Unlock()
	for _, b := range sent {
		b.detach()
	}
}

// attach gives req the body of r.
func (x *exchange) attach(req *http.Request, r *Request) error {
	open := func() (io.ReadCloser, error) {
		body, err := r.Open(x.ctx)
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
	b.x.steps.Add(1) // the other side took what it had; now the wait is for us
	n, err := b.r.Read(p)
	b.x.steps.Add(1)
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
