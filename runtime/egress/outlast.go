package egress

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// outlastBody is how much of an answer has to come before Do returns it, since the change may be under way until the answer ends: what a service says of a
// change, and room.
const outlastBody = 64 << 10

// outlastClose is how long Close waits for requests that go on: services are done in less, and what is hung is no reason to stay.
const outlastClose = 5 * time.Second

// fewOutlasting is how many go on of a client that does not bound its requests.
const fewOutlasting = 64

// outlasting are the requests of a client that go on after their callers have gone.
type outlasting struct {
	most  int
	limit time.Duration // of each, then

	mu     sync.Mutex
	closed bool
	list   map[*exchange]*time.Timer
	ended  sync.WaitGroup
}

func newOutlasting(cfg *Config) *outlasting {
	most := fewOutlasting
	if cfg.MaxRequests > 0 {
		most = max(1, cfg.MaxRequests/8)
	}
	return &outlasting{most: most, limit: cfg.FirstByteTimeout, list: map[*exchange]*time.Timer{}}
}

// leave lets x go on, if it may. Its end is told by left.
func (o *outlasting) leave(x *exchange) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.list) >= o.most {
		return false
	}
	o.list[x] = time.AfterFunc(o.limit, func() { x.cancel(errClosed) })
	o.ended.Add(1)
	return true
}

func (o *outlasting) left(x *exchange) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list[x].Stop()
	delete(o.list, x)
	o.ended.Done()
}

// breakOff ends those that go on.
func (o *outlasting) breakOff() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for x := range o.list {
		x.cancel(errClosed)
	}
}

// close waits for those that go on, and breaks off what has not ended after outlastClose.
func (o *outlasting) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	late := time.AfterFunc(outlastClose, o.breakOff)
	o.ended.Wait()
	late.Stop()
}

// caller is who waits for an exchange that may go on without.
type caller struct {
	x    *exchange
	ctx  context.Context
	stop func() bool   // ends that its end is waited for
	gone chan struct{} // closed when it has gone and x goes on

	mu    sync.Mutex
	phase phase
	left  bool // gone is closed
}

type phase int

const (
	asking phase = iota // nothing has been sent
	sent
	answered
)

// detach makes an exchange of a caller under ctx, which goes on if ctx ends after it was sent and before it is answered.
func (x *exchange) detach(ctx context.Context) {
	x.ctx, x.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	w := &caller{x: x, ctx: ctx, gone: make(chan struct{})}
	x.caller = w
	x.ctx = httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { w.enter(asking) }, // also when a connection was lost
		WroteHeaders: func() { w.enter(sent) },
	})
	w.stop = context.AfterFunc(ctx, w.leave)
}

// enter tells how far the exchange is, and reports whether the caller is there.
func (w *caller) enter(p phase) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != answered {
		w.phase = p
	}
	return !w.left
}

// leave is what comes of the end of the caller's context.
func (w *caller) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == sent && w.x.client.outlasting.leave(w.x) {
		w.left = true
		close(w.gone)
		return
	}
	w.x.cancel(context.Cause(w.ctx))
}

// roundTrip is that of an exchange that may go on without its caller: then it returns the error of the caller's context, and the exchange is not the caller's any more.
func (w *caller) roundTrip(t http.RoundTripper, req *http.Request) (resp *http.Response, err error, gone bool) {
	type answer struct {
		resp *http.Response
		err  error
	}
	drop := func(a answer) { // nobody is told
		if a.err == nil {
			_ = a.resp.Body.Close()
		}
		w.x.end(errClosed)
		w.x.client.outlasting.left(w.x)
	}
	done := make(chan answer)
	go func() {
		resp, err := t.RoundTrip(req)
		if err == nil {
			w.x.reads.Store(answeredBit)
			if resp.ContentLength <= outlastBody {
				resp.Body = w.x.readAhead(resp.Body)
			}
		}
		select {
		case done <- answer{resp, err}:
		case <-w.gone:
			drop(answer{resp, err})
		}
	}()
	select {
	case a := <-done:
		if !w.enter(answered) { // the caller left at this moment
			drop(a)
			return nil, w.ctx.Err(), true
		}
		return a.resp, a.err, false
	case <-w.gone:
		return nil, w.ctx.Err(), true
	}
}

// ahead is a body whose beginning has come.
type ahead struct {
	x       *exchange
	content []byte
	err     error // behind that; nil when there is more
	rest    io.ReadCloser
}

func (x *exchange) readAhead(body io.ReadCloser) *ahead {
	a := &ahead{x: x, rest: body}
	for a.err == nil && len(a.content) < outlastBody {
		a.content = slices.Grow(a.content, 512)
		var n int
		x.reads.Add(1)
		n, a.err = body.Read(a.content[len(a.content):min(cap(a.content), outlastBody)])
		x.reads.Add(1)
		a.content = a.content[:len(a.content)+n]
	}
	return a
}

func (a *ahead) Read(p []byte) (int, error) {
	switch {
	case a.x.ctx.Err() != nil:
		return 0, context.Cause(a.x.ctx)
	case len(a.content) > 0:
		n := copy(p, a.content)
		a.content = a.content[n:]
		return n, nil
	case a.err != nil:
		return 0, a.err
	}
	return a.rest.Read(p)
}

func (a *ahead) Close() error { return a.rest.Close() }
