package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
)

// exchange is one request and its response.
type exchange struct {
	grant  *grant
	ctx    context.Context
	cancel context.CancelCauseFunc
	resp   Response // here, and body, so as to be allocated together
	body   Body

	client  *Client
	sends   atomic.Uint64 // odd while the other side is waited for, until it answers
	reads   atomic.Uint64 // 0 until then; odd while more of the response is waited for
	dials   atomic.Int32  // how often it is being connected for, when nobody waits for a response
	total   *time.Timer   // nil without a limit
	ended   func()        // may be nil
	caller  *caller       // nil: the exchange ends with its caller's context
	streams bool          // the body is handed to net/http as a sentBody
	quiet   bool          // errors quote nothing that the server has sent

	// The watcher's, under its lock.
	prev, next *exchange
	watched    bool
	held       bool   // ends when the client is closed
	seen       uint64 // steps when the timer last fired
	stuck      int    // how often it fired since

	mu   sync.Mutex
	sent []*sentBody // bodies handed to net/http
}

// carried is an exchange as its own context, in which the dialer finds it.
type carried exchange

func (c *carried) Deadline() (time.Time, bool) { return c.ctx.Deadline() }
func (c *carried) Done() <-chan struct{}       { return c.ctx.Done() }
func (c *carried) Err() error                  { return c.ctx.Err() }

func (c *carried) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return (*exchange)(c)
	}
	return c.ctx.Value(key)
}

// answeredBit is in reads and never in sends. With it waiting is reading, whatever is still
// being sent.
const answeredBit = 1 << 63

// limit is how long there may be no progress.
func (x *exchange) limit() time.Duration {
	if x.reads.Load() == 0 {
		return x.client.cfg.FirstByteTimeout
	}
	return x.client.cfg.IdleTimeout
}

// isStuck is asked once in every so long and tells whether there was no progress for the limit.
func (x *exchange) isStuck(every time.Duration) bool {
	steps := x.reads.Load()
	connecting := false
	if steps == 0 {
		steps, connecting = x.sends.Load(), x.dials.Load() > 0
	}
	if steps != x.seen || steps%2 == 0 || connecting {
		x.seen, x.stuck = steps, 0
		return false
	}
	x.stuck++
	return time.Duration(x.stuck) >= (x.limit()+every-1)/every
}

// late ends what Config.TotalTimeout is too short for.
func (x *exchange) late() {
	x.cancel(&storagedriver.Error{Kind: storagedriver.KindDeadline, Temporary: true,
		Err: fmt.Errorf("the request to %s took longer than %v in all", x.grant.origin, x.client.cfg.TotalTimeout)})
}

// failure classifies the error of a request.
func (x *exchange) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause := context.Cause(x.ctx); cause != nil {
		return cause
	}
	if body := x.bodyError(); body != nil {
		return body
	}
	var classified *storagedriver.Error
	if errors.As(err, &classified) {
		return err
	}
	by := ""
	if x.grant.proxy != nil {
		by = " through the proxy " + x.grant.proxy.String()
	}
	var unknown x509.UnknownAuthorityError
	var wrong *tls.CertificateVerificationError // and stays so
	temporary, hint := !errors.As(err, &wrong), ""
	if errors.As(err, &unknown) {
		hint = " (name who vouches for it under \"tls\" in the origin's rule)"
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: temporary, Err: fmt.Errorf("cannot reach %s%s: %w%s", x.grant.origin, by, x.unquoted(err), hint)}
}

// unquoted is err without what net/http quotes of an answer that it could not understand, where that may hold a secret: a token
// that nobody knows yet, or a piece of one.
func (x *exchange) unquoted(err error) error {
	if text, _, quotes := strings.Cut(err.Error(), `"`); quotes && x.quiet {
		return errors.New(text + "(what was sent is not shown)")
	}
	return err
}

// end stops the exchange: nothing of it touches the network or the request's body
// afterwards.
func (x *exchange) end(cause error) {
	x.cancel(cause)
	if x.caller != nil {
		x.caller.stop()
	}
	if x.total != nil {
		x.total.Stop()
	}
	x.client.watcher.remove(x)
	if x.streams {
		x.mu.Lock()
		sent := x.sent
		x.sent = nil
		x.mu.Unlock()
		for _, b := range sent {
			b.detach()
		}
	}
	x.client.ended()
	if x.ended != nil {
		x.ended()
	}
}

// inMemory is the longest body that is sent at once with its headers. There is no waiting
// for more of it, so nobody watches its progress.
const inMemory = bufferSize / 2

// length is what an http.Request has of it.
func (r *Request) length() int64 {
	if n := len(r.Data); n > 0 {
		return int64(n)
	}
	return r.Size
}

// attach gives req the body of r.
func (x *exchange) attach(req *http.Request, r *Request) error {
	source := r.Open
	switch n := len(r.Data); {
	case n > inMemory:
		source = storagedriver.BytesSource(r.Data).Open
	case n > 0: // of types by which net/http knows that reading them is no waiting
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Data)), nil }
		req.Body, _ = req.GetBody() // never fails
		return nil
	case r.Size == 0 || source == nil:
		return nil
	}
	x.streams = true
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
