package egress

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/berth-dev/storagedriver"
)

// Policy says which origins may be reached, and how. The zero value denies all. It is constant and
// may be used concurrently.
type Policy struct {
	grants map[Origin]*grant
}

// grant is a rule that was found to be good, with what its files held. It is constant.
type grant struct {
	rule    Rule
	origin  Origin
	index   int         // among the policy's
	host    string      // of the origin, as a URL has it
	address netip.Addr  // of an origin that is one
	tls     *tls.Config // nil for http
	proxy   *Origin     // nil without
}

// NewPolicy returns the policy of the rules. It reads the files that they name, which are not
// looked at again. What a rule has wrong is KindInvalidArgument.
func NewPolicy(rules []Rule) (*Policy, error) {
	p := &Policy{grants: make(map[Origin]*grant, len(rules))}
	for i, r := range rules {
		o, err := ParseOrigin(r.Origin)
		if err != nil {
			return nil, err
		}
		if p.grants[o] != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "two rules for the origin %s: make them one", o)
		}
		g, err := newGrant(o, r)
		if err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the rule for %s: %w", o, err)
		}
		g.index = i
		p.grants[o] = g
	}
	return p, nil
}

func newGrant(o Origin, r Rule) (*grant, error) {
	g := &grant{rule: r, origin: o, host: o.host()}
	g.address, _ = netip.ParseAddr(o.Host) // or it is a name
	for _, n := range r.Networks {
		if !n.IsValid() {
			return nil, errors.New("a network is empty or has too many bits: write it as 10.0.0.0/8")
		}
		if n != n.Masked() {
			return nil, fmt.Errorf("the network %v has bits after its first %d: write %v", n, n.Bits(), n.Masked())
		}
	}
	if r.Redirects < 0 || r.Redirects > MaxRedirects {
		return nil, fmt.Errorf("%d redirects, which is not 0 to %d", r.Redirects, MaxRedirects)
	}
	if r.Credential.Signer != nil && r.Credential.Name == "" {
		return nil, errors.New("the credential has no name for requests to name it by")
	}
	if err := g.rule.Credential.bind(o); err != nil {
		return nil, err
	}
	if o.Scheme == "https" {
		var err error
		if g.tls, err = r.TLS.config(o.Host); err != nil {
			return nil, err
		}
	} else if r.TLS != (TLS{}) {
		return nil, errors.New("it has settings for TLS, and the origin is http")
	}
	return g, g.setProxy()
}

func (g *grant) setProxy() error {
	if g.rule.Proxy == "" {
		return nil
	}
	o, err := ParseOrigin(g.rule.Proxy)
	switch {
	case err != nil || o.Scheme != "http":
		return fmt.Errorf("the proxy %q is not of the form http://host:port, without a user", redact(g.rule.Proxy))
	case len(g.rule.Networks) > 0:
		return errors.New("it has a proxy and networks: with a proxy the name is resolved there, so that its addresses cannot be checked here")
	case g.origin.Scheme == "http" && g.rule.Credential.Signer != nil:
		return errors.New("it has a proxy and a credential, which the proxy would see: use https")
	}
	g.proxy = &o
	return nil
}

func (g *grant) proxyURL() *url.URL { return &url.URL{Scheme: g.proxy.Scheme, Host: g.proxy.host()} }

// Check returns KindDenied, with the origin and what to do, unless o is allowed.
func (p *Policy) Check(o Origin) error {
	_, err := p.find(o)
	return err
}

func (p *Policy) find(o Origin) (*grant, error) {
	if g := p.grants[o]; g != nil {
		return g, nil
	}
	return nil, storagedriver.Errorf(storagedriver.KindDenied,
		"the origin %s is not allowed: allow it with --allow %s, or under \"allow\" in the driver's configuration", o, o)
}
