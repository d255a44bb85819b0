package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Config is what a Client is made with. Every field must be set but DialContext.
type Config struct {
	Policy *Policy
	// ConnectTimeout bounds one attempt to connect, the TLS handshake apart.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait for a response once the request has been sent,
	// and for the other side to take more of the request.
	FirstByteTimeout time.Duration
	// IdleTimeout bounds the wait for more of a response's body. It runs only while
	// somebody waits, so a slow reader is not an error.
	IdleTimeout time.Duration
	// MaxIdleConns is how many idle connections are kept for each origin.
	MaxIdleConns int
	// DialContext replaces the dialer; nil is the system's.
	DialContext DialFunc
}

// Client makes requests. It may be used concurrently.
type Client struct {
	cfg       Config
	rt        *http.Transport
	watcher   watcher
	sweep     sweep
	spellings atomic.Pointer[[]spelling] // of origins found to be allowed; what it points to is constant
	closed    atomic.Bool
}

// bufferSize is that of a connection, in each direction: small messages take one system
// call, with their headers.
const bufferSize = 16 << 10

// spelling is an origin as a URL has it.
type spelling struct {
	scheme, host string
	origin       Origin
}

// maxSpellings bounds what a Client remembers: a guest could write one host in many ways.
const maxSpellings = 16

// NewClient returns a Client. The caller closes it.
func NewClient(cfg Config) *Client {
	dial := cfg.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: cfg.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
	} else {
		dial = bounded(dial, cfg.ConnectTimeout)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	c := &Client{cfg: cfg, rt: &http.Transport{
		Proxy:                  nil, // the environment's proxy is not the operator's word on this driver
		DialContext:            dial,
		TLSHandshakeTimeout:    cfg.ConnectTimeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    cfg.MaxIdleConns,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: abi.MaxResponseHeaderBytes,
		WriteBufferSize:        bufferSize,
		ReadBufferSize:         bufferSize,
		Protocols:              protocols,
	}}
	c.watcher.setLimits(cfg.FirstByteTimeout, cfg.IdleTimeout)
	c.sweep.close = c.rt.CloseIdleConnections
	return c
}

func bounded(dial DialFunc, timeout time.Duration) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dial(ctx, network, address)
	}
}

// Close closes idle connections, and ends the exchanges whose bodies are held; the others'
// connections end with them. Requests made afterwards are KindClosed.
func (c *Client) Close() {
	c.closed.Store(true)
	c.watcher.close()
	c.sweep.stop()
	c.rt.CloseIdleConnections()
}

// ended is called when an exchange has ended, and its connection is closed or idle.
func (c *Client) ended() {
	if c.closed.Load() {
		c.rt.CloseIdleConnections() // Close came too early for this one
		return
	}
	c.sweep.start()
}

var errClientClosed error = storagedriver.NewError(storagedriver.KindClosed, "the driver is closed")

// Request is a request to be made.
type Request struct {
	Method, URL string
	// Headers are name, value, name, value, ...
	Headers []string
	// Data is a body in memory, and then Size and Open are not looked at. Nobody may change
	// it any more: net/http may go on reading it after Do.
	Data []byte
	// Size is the length of the body; -1 when it is not known, and then it is chunked.
	Size int64
	// Open returns the body from its first byte; nil when there is none. It is called
	// again when the request has to be sent again. What it returns is closed.
	Open func(ctx context.Context) (io.ReadCloser, error)
	// Once says that Open can be called once only.
	Once bool
	// Ended is called when Do has failed after Check, and when the response's body is
	// closed; nil is nothing.
	Ended func()
	// Checked is what Do left here in an earlier request of the same Method and Headers,
	// which are not looked at then; nil when there was none. Do sets it unless it refuses
	// one of them.
	Checked *Checked
}

// Checked is a method and headers that a request may have. It is constant, and requests may
// share it.
type Checked struct {
	method string
	header http.Header // net/http only reads it, as a RoundTripper must
}

// Response is the answer to a Request. The caller closes Body, also when there is nothing
// in it.
type Response struct {
	Status int
	Header http.Header
	// Length is the length of the body, -1 when it is not known. Of a response to HEAD
	// it is that of the body there would be.
	Length int64
	Body   *Body
	// NoBody says that there is no body to read.
	NoBody bool
}

// Do makes the request and returns when the response's headers are there. ctx governs the
// request and the response's body until that is closed; the request's body is not
// touched once Do has failed or the response's body is closed.
//
// An origin that is not allowed is KindDenied, one that cannot be reached KindUnavailable.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.closed.Load() { // a new connection would be kept when it is idle
		return nil, errClientClosed
	}
	u, origin, err := c.check(r)
	if err != nil {
		return nil, err
	}
	if r.Checked == nil {
		h, err := header(r.Headers)
		if err != nil {
			return nil, err
		}
		r.Checked = &Checked{method: r.Method, header: h}
	}
	x := &exchange{client: c, origin: origin, ended: r.Ended}
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	req := new(http.Request).WithContext(x.ctx)
	req.Method, req.URL, req.Host, req.Header = r.Checked.method, u, u.Host, r.Checked.header
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	if err := x.attach(req, r); err != nil {
		x.end(err)
		return nil, err
	}
	x.sends.Store(1) // now the response is waited for
	c.watcher.add(x)
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		err = x.failure(ctx, err)
		x.end(err)
		return nil, err
	}
	x.reads.Store(answeredBit)
	out := &x.resp
	*out = Response{Status: resp.StatusCode, Header: resp.Header, Length: resp.ContentLength, Body: &x.body}
	out.NoBody = req.Method == http.MethodHead || resp.ContentLength == 0 || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	x.body = Body{x: x, ctx: ctx, r: resp.Body, left: resp.ContentLength}
	if out.NoBody {
		out.Body.left = 0
	}
	return out, nil
}

func (c *Client) check(r *Request) (*url.URL, Origin, error) {
	if r.Checked == nil && (!httpguts.ValidHeaderFieldName(r.Method) || strings.EqualFold(r.Method, http.MethodConnect)) { // a method is a token, as a name is
		return nil, Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the method %q", r.Method)
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Opaque != "" || strings.Contains(u.RawQuery, " ") {
		return nil, Origin{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL is not an absolute one")
	}
	if u.User != nil {
		return nil, Origin{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL has a user in it: use an Authorization header")
	}
	u.Fragment, u.RawFragment = "", ""
	known := c.spellings.Load()
	if known != nil {
		for i := range *known {
			if k := &(*known)[i]; k.host == u.Host && k.scheme == u.Scheme {
				return u, k.origin, nil
			}
		}
	}
	origin, err := OriginOf(u)
	if err != nil {
		return nil, Origin{}, err
	}
	if err := c.cfg.Policy.Check(origin); err != nil {
		return nil, origin, err
	}
	c.remember(known, spelling{u.Scheme, u.Host, origin})
	return u, origin, nil
}

// remember adds s to the spellings known, unless another has been added meanwhile: that one
// is remembered next time.
func (c *Client) remember(known *[]spelling, s spelling) {
	var list []spelling
	if known != nil {
		list = *known
	}
	if len(list) < maxSpellings {
		list = append(slices.Clip(list), s)
		c.spellings.CompareAndSwap(known, &list)
	}
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
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: fmt.Errorf("cannot reach %s: %w", x.origin, err)}
}

// Check tells what Do would refuse before it touched the network.
func (c *Client) Check(r *Request) error {
	if _, _, err := c.check(r); err != nil {
		return err
	}
	_, err := header(r.Headers)
	return err
}

// CheckURL tells whether a URL is one that Do would ask.
func (c *Client) CheckURL(raw string) error {
	_, _, err := c.check(&Request{Method: http.MethodGet, URL: raw})
	return err
}
