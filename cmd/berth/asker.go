package main

import (
	"net/http"
	"net/netip"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// maxAsked is the most origins that one signer asks: the chain of AWS has a handful.
const maxAsked = 16

// asker is what one signer asks the servers of its tokens through: the one that it was configured with, or those that its
// surroundings name. Where they are is the operator's word, which a driver has no part in. They are reached as the origin is that the
// credential is for: with its networks, its proxy and its TLS.
type asker struct {
	like   egress.Rule
	config egress.Config
	only   string // an origin; "" is any

	mu     sync.Mutex
	doers  map[egress.Origin]*egress.Doer
	closed bool
}

var _ sign.Doer = (*asker)(nil)

func newAsker(l limitsConfig, like egress.Rule, c *credential) *asker {
	l = l.orDefaults()
	a := &asker{like: like, doers: map[egress.Origin]*egress.Doer{}, config: egress.Config{
		ConnectTimeout: l.Connect, FirstByteTimeout: l.FirstByte, IdleTimeout: l.Idle, MaxIdleConns: 1,
	}}
	if server := schemes()[c.scheme].server; server != nil {
		a.only = originOf(server(c.config))
	}
	return a
}

// Do implements sign.Doer.
func (a *asker) Do(req *http.Request) (*http.Response, error) {
	doer, err := a.doer(req)
	if err != nil {
		return nil, err
	}
	return doer.Do(req)
}

func (a *asker) doer(req *http.Request) (*egress.Doer, error) {
	o, err := egress.OriginOf(req.URL)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	doer := a.doers[o]
	switch {
	case a.closed:
		return nil, storagedriver.NewError(storagedriver.KindClosed, "the driver is closed")
	case doer != nil:
		return doer, nil
	case a.only != "" && o.String() != a.only || len(a.doers) == maxAsked:
		return nil, storagedriver.Errorf(storagedriver.KindDenied, "the origin %s is not where the credential has its tokens from", o)
	}
	rule := a.like
	rule.Origin = o.String()
	if o.Scheme != "https" {
		rule.TLS = egress.TLS{}
		if _, err := netip.ParseAddr(o.Host); err == nil { // a service of this machine's, not of the proxy's
			rule.Proxy = ""
		}
	}
	if doer, err = egress.NewDoer(a.config, rule); err == nil {
		a.doers[o] = doer
	}
	return doer, err
}

// close closes idle connections.
func (a *asker) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, doer := range a.doers {
		doer.Close()
	}
}

func closeAskers(all []*asker) {
	for _, a := range all {
		a.close()
	}
}
