package egress

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// maxAttempts is how many of a name's addresses are tried for one connection: two of each family. With
// finding them and a handshake each takes up to Config.ConnectTimeout.
const maxAttempts = 4

// dialer opens the connections of one grant. What net/http asks it to dial is not looked at: it dials the
// origin, or the origin's proxy.
type dialer struct {
	g        *grant
	open     DialFunc
	resolver Resolver
	timeout  time.Duration
}

// transport returns one for the grant alone, so that no connection of one rule serves another.
func (c *Client) transport(g *grant) *http.Transport {
	d := &dialer{g: g, open: c.cfg.DialContext, resolver: c.cfg.Resolver, timeout: c.cfg.ConnectTimeout}
	if d.open == nil {
		d.open = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if d.resolver == nil {
		d.resolver = systemResolver{}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS, // of no use with a proxy: that has TLS inside of what CONNECT opened
		DisableCompression:     true,
		MaxIdleConnsPerHost:    c.cfg.MaxIdleConns,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: abi.MaxResponseHeaderBytes,
		WriteBufferSize:        bufferSize,
		ReadBufferSize:         bufferSize,
		Protocols:              protocols,
	}
	if g.proxy != nil { // and never the environment's, which is not the operator's word on this driver
		t.Proxy = func(*http.Request) (*url.URL, error) { return g.proxyURL(), nil }
		t.TLSClientConfig, t.TLSHandshakeTimeout = g.tls, c.cfg.ConnectTimeout
	}
	return t
}

// exchangeKey is that of an exchange in its own context.
type exchangeKey struct{}

// dial opens a connection. The exchange that it is for does not wait for the other side meanwhile.
func (d *dialer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		x.dials.Add(1)
		defer x.dials.Add(-1)
	}
	addresses, port, err := d.addresses(ctx)
	if err != nil {
		return nil, err
	}
	addresses = addresses[:min(len(addresses), maxAttempts)]
	for _, a := range addresses {
		var conn net.Conn
		if conn, err = d.connect(ctx, network, netip.AddrPortFrom(a, port).String()); err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	if n := len(addresses); n > 1 {
		err = fmt.Errorf("none of %d addresses answers, the last one: %w", n, err)
	}
	return nil, err
}

func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := d.within(ctx, "connecting to "+address)
	defer cancel()
	conn, err := d.open(ctx, network, address)
	return conn, why(ctx, err)
}

// within bounds one step, which why names when it took too long.
func (d *dialer) within(ctx context.Context, step string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d.timeout, fmt.Errorf("%s took longer than %v", step, d.timeout))
}

func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// addresses finds what may be dialled, once for each connection: nothing looks the name up again.
func (d *dialer) addresses(ctx context.Context) ([]netip.Addr, uint16, error) {
	at := d.g.origin
	if d.g.proxy != nil {
		at = *d.g.proxy
	}
	if a, err := netip.ParseAddr(at.Host); err == nil { // the operator named it
		return []netip.Addr{a}, at.Port, nil
	}
	ctx, cancel := d.within(ctx, "looking up "+at.Host)
	defer cancel()
	list, err := d.resolver.LookupNetIP(ctx, "ip", at.Host)
	if err != nil {
		return nil, 0, why(ctx, err)
	}
	if len(list) == 0 {
		return nil, 0, fmt.Errorf("the name %s has no addresses", at.Host)
	}
	if d.g.proxy != nil { // also named by the operator
		return list, at.Port, nil
	}
	for _, a := range list {
		if err := d.g.admit(a); err != nil {
			return nil, 0, err
		}
	}
	return list, at.Port, nil
}

// admit tells whether a may be dialled for the grant's name. One address that may not spoils the whole answer:
// public names have no such neighbours, but a name about to be rebound has.
func (g *grant) admit(a netip.Addr) error {
	kind, about := judge(a, g.rule.Networks)
	if kind == "" {
		return nil
	}
	leads := a.WithZone("").String()
	if about != a && about.IsValid() {
		leads += ", which stands for " + about.String()
	}
	what := "have its name servers answer with addresses"
	if about.IsValid() {
		about = about.WithZone("")
		what = fmt.Sprintf("name its network to allow it, with --allow %s=%v, or under \"cidr\" in the origin's rule", g.origin, netip.PrefixFrom(about, about.BitLen()))
	}
	return storagedriver.Errorf(storagedriver.KindDenied, "the origin %s leads to %s, %s: %s", g.origin, leads, kind, what)
}

// dialTLS is dial and the handshake, which has a time limit of its own.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		x.dials.Add(1)
		defer x.dials.Add(-1)
	}
	ctx, cancel := d.within(ctx, "the TLS handshake")
	defer cancel()
	secure := tls.Client(conn, d.g.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // of no use any more
		return nil, why(ctx, err)
	}
	return secure, nil
}

// systemResolver answers IPv4 addresses in their own form, as net.Resolver does not.
type systemResolver struct{}

func (systemResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list, err
}
