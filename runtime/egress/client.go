package egress

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Resolver finds the addresses of a name, as net.Resolver does: but IPv4 addresses must be in a form of their own
// (netip.Addr.Unmap), since those in IPv6's are refused. It is asked once for each connection, for "ip".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a Client is made with. Every field must be set but those said to be optional.
type Config struct {
	Policy *Policy
	// MaxRequests is how many requests wait for a response at once; more wait for their turn, holding nothing.
	// Those made under a context of Feeding have an eighth more, one at least, for themselves. Optional.
	MaxRequests int
	// MaxResponse is the most bytes of a response's body: one that announces more is KindLimit, and so is a
	// read past it. Optional.
	MaxResponse int64
	// TotalTimeout bounds a request from its begin, after the wait for its turn, to the end of the response's
	// body, redirects included; past it all is KindDeadline. Optional.
	TotalTimeout time.Duration
	// ConnectTimeout bounds each of these: to look up a name, one attempt to connect to an address, the TLS
	// handshake.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait for a response once the request has been sent,
	// and for the other side to take more of the request. Connecting does not count.
	FirstByteTimeout time.Duration
	// IdleTimeout bounds the wait for more of a response's body. It runs only while
	// somebody waits, so a slow reader is not an error.
	IdleTimeout time.Duration
	// MaxIdleConns is how many idle connections are kept for each origin.
	MaxIdleConns int
	// DialContext replaces the dialer; nil is the system's. It is given addresses, never names.
	DialContext DialFunc
	// Resolver replaces the system's; optional.
	Resolver Resolver
}

// Client makes requests. It may be used concurrently.
type Client struct {
	cfg        Config
	doer       bool              // of a Doer's
	transports []*http.Transport // by the index of a grant
	turns      turns
	watcher    watcher
	sweep      sweep
	outlasting *outlasting
	spellings  atomic.Pointer[[]spelling] // of origins found to be allowed; what it points to is constant
	closed     atomic.Bool
}

// bufferSize is that of a connection, in each direction: small messages take one system
// call, with their headers.
const bufferSize = 16 << 10

// spelling is an origin as a URL has it.
type spelling struct {
	scheme, host string
	grant        *grant
}

// maxSpellings bounds what a Client remembers: a guest could write one host in many ways.
const maxSpellings = 16

// NewClient returns a Client. The caller closes it.
func NewClient(cfg Config) *Client {
	c := &Client{cfg: cfg, turns: newTurns(cfg.MaxRequests), transports: make([]*http.Transport, len(cfg.Policy.grants))}
	c.outlasting = newOutlasting(&c.cfg)
	for _, g := range cfg.Policy.grants {
		c.transports[g.index] = c.transport(g)
	}
	c.watcher.setLimits(cfg.FirstByteTimeout, cfg.IdleTimeout)
	c.sweep.close = c.closeIdle
	return c
}

func (c *Client) closeIdle() {
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// BreakOff ends the requests that go on without their callers, for which Close would wait.
func (c *Client) BreakOff() { c.outlasting.breakOff() }

// Close closes idle connections, and ends the exchanges whose bodies are held; the others'
// connections end with them. It waits some seconds for requests that go on without their callers. Requests made afterwards are KindClosed.
func (c *Client) Close() {
	c.closed.Store(true)
	c.outlasting.close()
	c.watcher.close()
	c.sweep.stop()
	c.closeIdle()
}

// ended is called when an exchange has ended, and its connection is closed or idle.
func (c *Client) ended() {
	if c.closed.Load() {
		c.closeIdle() // Close came too early for this one
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
	// Credential names the one of the origin's rule that signs the request; "" is none.
	Credential string
	// SHA256 is that of the body, nil when it is not known.
	SHA256 []byte
	// Outlasts says that the request is not broken off when Do's context ends while the answer is waited for: Do returns, and the request goes on until it is
	// answered, or FirstByteTimeout has passed since, or the client has been closed for some seconds. An eighth of MaxRequests may go on so; more are broken
	// off. For requests that change something, whose body is Data.
	Outlasts bool
	// Keyed are headers and parameters of the query that the host makes; their values are not looked for
	// in Headers.
	Keyed []Keyed
	// Checked is what Do left here in an earlier request of the same Method and Headers,
	// which are not looked at then; nil when there was none. Do sets it unless it refuses
	// one of them.
	Checked *Checked
}

// Keyed is a header, or with a name that begins with "?" a parameter of the query, whose value holds
// a secret.
type Keyed struct {
	Name, Value string
	// Secret is what must not come back, as it was before it was encoded, and Encoded as Value has it.
	Secret  []byte
	Encoded string
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
	u, g, err := c.check(r)
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
	turn, err := c.turns.take(ctx)
	if err != nil {
		r.end()
		return nil, err
	}
	defer give(turn)
	var until time.Time
	if c.cfg.TotalTimeout > 0 {
		until = time.Now().Add(c.cfg.TotalTimeout)
	}
	resp, shown, err := c.send(ctx, g, u, r, until)
	if err == nil && g.rule.Redirects > 0 && isRedirect(resp) {
		return c.follow(&route{ctx: ctx, first: g, r: *r, u: u, until: until, guards: []guard{shown}}, resp)
	}
	return resp, err
}

// send makes the request r.Checked of r to u, whose origin is g's. The guard is what later responses must not show
// either.
func (c *Client) send(ctx context.Context, g *grant, u *url.URL, r *Request, until time.Time) (*Response, guard, error) {
	x := &exchange{client: c, grant: g, ended: r.Ended, held: c.doer, quiet: c.doer}
	if r.Outlasts && ctx.Done() != nil {
		x.detach(ctx)
	} else {
		x.ctx, x.cancel = context.WithCancelCause(ctx)
	}
	if !until.IsZero() {
		x.total = time.AfterFunc(time.Until(until), x.late)
	}
	req := new(http.Request).WithContext((*carried)(x))
	u.Host = g.host // what is dialled, asked for and signed is what was checked, however it was spelled
	req.Method, req.URL, req.Host, req.Header = r.Checked.method, u, g.host, r.Checked.header
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	req.ContentLength = r.length()
	shown, err := prove(x.ctx, req, r, &g.rule)
	if err == nil { // not before: a signer may read the body, and should be the only one then
		err = x.attach(req, r)
	}
	if err != nil {
		if cause := context.Cause(x.ctx); cause != nil && ctx.Err() == nil {
			err = cause
		}
		x.end(err)
		return nil, guard{}, err
	}
	x.quiet = x.quiet || shown.set != nil || shown.renewed != nil
	x.sends.Store(1) // now the response is waited for
	c.watcher.add(x)
	var resp *http.Response
	if x.caller != nil {
		var gone bool
		if resp, err, gone = x.caller.roundTrip(c.transports[g.index], req); gone {
			return nil, guard{}, err
		}
	} else {
		resp, err = c.transports[g.index].RoundTrip(req)
	}
	shown = shown.now()
	if err != nil {
		err = x.failure(ctx, shown.failure(err))
		x.end(err)
		return nil, guard{}, err
	}
	x.reads.Store(answeredBit)
	if r.Credential != "" {
		g.rule.Credential.answered(req, resp.StatusCode)
	}
	out, err := x.respond(ctx, req.Method, resp, shown)
	return out, shown, err
}

// respond makes the Response, unless there is something about it that nobody may have.
func (x *exchange) respond(ctx context.Context, method string, resp *http.Response, shown guard) (*Response, error) {
	out := &x.resp
	*out = Response{Status: resp.StatusCode, Header: resp.Header, Length: resp.ContentLength, Body: &x.body}
	out.NoBody = method == http.MethodHead || resp.ContentLength == 0 || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	x.body = Body{x: x, ctx: ctx, r: resp.Body, left: resp.ContentLength}
	if out.NoBody {
		out.Body.left = 0
	}
	err := checkResponse(x.grant, resp.Header)
	if err == nil {
		err = shown.headers(resp.Header)
	}
	if limit := x.client.cfg.MaxResponse; err == nil && limit > 0 && out.Length > limit && !out.NoBody {
		err = storagedriver.Errorf(storagedriver.KindLimit, "%s answers with %d bytes, more than the %d of the limit on a response", x.grant.origin, out.Length, limit)
	}
	if err != nil {
		x.body.drop(err)
		return nil, err
	}
	x.body.r = shown.body(resp.Body)
	return out, nil
}

func (c *Client) check(r *Request) (*url.URL, *grant, error) {
	if r.Checked == nil && (!httpguts.ValidHeaderFieldName(r.Method) || strings.EqualFold(r.Method, http.MethodConnect)) { // a method is a token, as a name is
		return nil, nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the method %q", r.Method)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, nil, errNoURL
	}
	g, err := c.checkURL(u)
	return u, g, err
}

var errNoURL error = storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL is not an absolute one")

// checkURL finds the grant of a URL, which loses its fragment.
func (c *Client) checkURL(u *url.URL) (*grant, error) {
	if u.Host == "" || u.Opaque != "" || strings.Contains(u.RawQuery, " ") {
		return nil, errNoURL
	}
	if u.User != nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL has a user in it: use an Authorization header")
	}
	u.Fragment, u.RawFragment = "", ""
	known := c.spellings.Load()
	if known != nil {
		for i := range *known {
			if k := &(*known)[i]; k.host == u.Host && k.scheme == u.Scheme {
				return k.grant, nil
			}
		}
	}
	origin, err := OriginOf(u)
	if err != nil {
		return nil, err
	}
	g, err := c.cfg.Policy.find(origin)
	if err != nil {
		return nil, err
	}
	c.remember(known, spelling{u.Scheme, u.Host, g})
	return g, nil
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
