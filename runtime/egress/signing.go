package egress

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/internal/secretscan"
)

// prove makes req, which is final otherwise, what r asks for under the rule of req's origin: it is called once for
// each request that is sent, redirects followed among them. req's header and URL are replaced, never changed.
func prove(ctx context.Context, req *http.Request, r *Request, rule *Rule) (guard, error) {
	c := &rule.Credential
	if c.Signer == nil && r.Credential == "" && len(r.Keyed) == 0 && len(r.SHA256) == 0 {
		return guard{}, nil
	}
	o, err := OriginOf(req.URL)
	if err != nil {
		return guard{}, err
	}
	if n := len(r.SHA256); n != 0 && n != sha256.Size {
		return guard{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "a sha256 of %d bytes, not %d", n, sha256.Size)
	}
	if err := c.check(r.Credential, req, o); err != nil {
		return guard{}, err
	}
	if r.Credential != "" || len(r.Keyed) > 0 {
		u := *req.URL
		req.URL, req.Header = &u, req.Header.Clone()
	}
	if len(r.Keyed) > 0 && rule.Proxy != "" && o.Scheme == "http" {
		return guard{}, storagedriver.Errorf(storagedriver.KindDenied, "requests to %s go through a proxy, which would see what they are keyed with: use https", o)
	}
	if err := addKeyed(req, r.Keyed, c, o); err != nil {
		return guard{}, err
	}
	if r.Credential != "" {
		if err := c.Signer.Sign(ctx, req, &payload{r: r}); err != nil {
			return guard{}, c.failure(err, o)
		}
	}
	return c.guard(r.Keyed, o)
}

// check is KindDenied unless named, which may be "", is the credential, and for what a request sets that is the
// credential's to set.
func (c *Credential) check(named string, req *http.Request, o Origin) error {
	if named != "" && (c.Signer == nil || c.Name != named) {
		return storagedriver.Errorf(storagedriver.KindDenied,
			"the credential %q is not bound to the origin %s: name it as \"credential\" of that origin, under \"allow\" in the driver's configuration", clip(named), o)
	}
	if c.Signer == nil {
		return nil
	}
	for name := range req.Header {
		if c.owns(name) {
			return storagedriver.Errorf(storagedriver.KindDenied, "the header %s is the credential's to set: requests to %s are signed by the host, with the credential %q", name, o, c.Name)
		}
	}
	for name := range parameters(req.URL.RawQuery) {
		if c.owns("?" + name) {
			return storagedriver.Errorf(storagedriver.KindDenied, "the parameter %q of the query is the credential's to set: requests to %s are signed by the host, with the credential %q", clip(name), o, c.Name)
		}
	}
	return nil
}

// owns tells whether a header, or with "?" before its name a parameter, is the credential's to set. It compares as the most
// lenient server would.
func (c *Credential) owns(name string) bool {
	same := func(own string) bool { return strings.EqualFold(own, name) }
	return c.Signer != nil && (same("Authorization") || slices.ContainsFunc(c.Signer.Owns(), same))
}

// parameters calls back with the names in a query, as every kind of server would read them.
func parameters(query string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
			name, _, _ := strings.Cut(pair, "=")
			if plain, err := url.QueryUnescape(name); err == nil {
				name = plain
			}
			if !yield(name) {
				return
			}
		}
	}
}

// addKeyed adds headers and parameters to req, whose header and URL are its own. Errors hold no value.
func addKeyed(req *http.Request, keyed []Keyed, c *Credential, o Origin) error {
	size := 0
	for name, values := range req.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	for _, k := range keyed {
		parameter, isParameter := strings.CutPrefix(k.Name, "?")
		name := textproto.CanonicalMIMEHeaderKey(k.Name)
		_, hosts := own[name]
		switch {
		case c.owns(k.Name):
			return storagedriver.Errorf(storagedriver.KindDenied, "keyed: %q is the credential %q's to set in requests to %s", clip(k.Name), c.Name, o)
		case isParameter && parameter == "":
			return storagedriver.NewError(storagedriver.KindInvalidArgument, "keyed: a parameter of the query without a name")
		case isParameter:
			if slices.Contains(slices.Collect(parameters(req.URL.RawQuery)), parameter) {
				return storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the parameter %q is in the query already", clip(parameter))
			}
			pair := escapeQuery(parameter) + "=" + escapeQuery(k.Value)
			req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&"+pair, "&")
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(k.Value):
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the header %q has bytes that a header cannot have", clip(name))
		case hosts || strings.HasPrefix(name, "Proxy-"):
			return storagedriver.Errorf(storagedriver.KindDenied, "keyed: the header %s is the host's to set", name)
		case len(req.Header[name]) > 0:
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the header %s is set already", name)
		default:
			req.Header[name] = []string{k.Value}
			size += len(name) + len(k.Value)
		}
	}
	if len(keyed) > 0 && size > abi.MaxHeaderBytes {
		return storagedriver.Errorf(storagedriver.KindLimit, "%d bytes of request headers with those keyed, more than %d", size, abi.MaxHeaderBytes)
	}
	return nil
}

// escapeQuery writes a space so that servers of every kind read one.
func escapeQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// failure is what a Signer failed with, without what it must not tell.
func (c *Credential) failure(err error, o Origin) error {
	if secretscan.New(c.Signer.Secrets()).Shows([]byte(err.Error())) {
		return storagedriver.Errorf(storagedriver.KindOf(err), "signing a request to %s with the credential %q failed, and why holds a secret", o, c.Name)
	}
	return err
}

// guard is for the response to a request to an origin that c, or the zero value, is bound to: also a request that
// is not signed may show what an earlier one has left there.
func (c *Credential) guard(keyed []Keyed, o Origin) (guard, error) {
	var sent []string
	if c.Signer != nil {
		sent = c.Signer.Sent()
	}
	if err := shortSecret(c, o, sent); err != nil {
		return guard{}, err
	}
	_, renews := c.Signer.(sign.Rejecter)
	if len(sent) == 0 && len(keyed) == 0 && !renews {
		return guard{}, nil
	}
	g := guard{origin: o, keyed: len(keyed) > 0}
	if len(sent) > 0 || renews {
		g.credential = c.Name
	}
	var keys []string
	for _, k := range keyed {
		if len(k.Secret) < secretscan.MinSecret {
			return guard{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the key of %q has fewer than %d bytes", clip(k.Name), secretscan.MinSecret)
		}
		keys = append(keys, string(k.Secret), k.Encoded)
	}
	own := c.scans // of sent alone, which most requests share
	if g.keyed {
		own = new(scans)
	}
	g.set = own.of(append(slices.Clip(sent), keys...))
	if renews {
		g.renewed = func() *secretscan.Set { return own.of(append(slices.Clip(c.Signer.Sent()), keys...)) }
	}
	return g, nil
}

// bind makes c, which is a rule's on o, ready for requests. A secret that no response could be searched for is
// KindInvalidArgument.
func (c *Credential) bind(o Origin) error {
	if c.Signer == nil {
		return nil
	}
	c.scans = new(scans)
	return shortSecret(c, o, c.Signer.Sent())
}

// payload is what signers are told of a request's body.
type payload struct {
	r     *Request
	sum   [sha256.Size]byte
	known bool
}

var _ sign.Payload = (*payload)(nil)

// Size implements sign.Payload.
func (p *payload) Size() int64 {
	switch {
	case len(p.r.Data) > 0:
		return int64(len(p.r.Data))
	case p.r.Open == nil:
		return 0
	}
	return p.r.Size
}

// SHA256 implements sign.Payload. What the body's source fails with is its error.
func (p *payload) SHA256(ctx context.Context) (sum [sha256.Size]byte, ok bool, err error) {
	switch {
	case p.known:
	case len(p.r.SHA256) == sha256.Size:
		p.sum = [sha256.Size]byte(p.r.SHA256)
	case len(p.r.Data) > 0 || p.Size() == 0:
		p.sum = sha256.Sum256(p.r.Data)
	case p.r.Once:
		return sum, false, nil
	default:
		if p.sum, err = hashBody(ctx, p.r.Open); err != nil {
			return sum, false, err
		}
	}
	p.known = true
	return p.sum, true, nil
}

// hashBody reads what open opens.
func hashBody(ctx context.Context, open func(context.Context) (io.ReadCloser, error)) (sum [sha256.Size]byte, err error) {
	body, err := open(ctx)
	if err != nil {
		return sum, err
	}
	defer func() {
		if cerr := body.Close(); err == nil {
			err = cerr
		}
	}()
	h := sha256.New()
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n, err := body.Read(buf)
		_, _ = h.Write(buf[:n]) // a hash takes all
		if err == io.EOF {
			return [sha256.Size]byte(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
	}
}

// answered tells the Signer of the status that a request has got which it may have signed.
func (c *Credential) answered(req *http.Request, status int) {
	if status != http.StatusUnauthorized {
		return
	}
	if s, ok := c.Signer.(sign.Rejecter); ok {
		s.Rejected(req)
	}
}

// Presign returns a URL with which anyone may make the request, until valid has passed: r's Method, URL, Headers and
// Credential say which. The URL has the origin of r's. A credential that is not bound to that is KindDenied, one whose scheme
// has no such URLs KindUnsupported.
func (c *Client) Presign(ctx context.Context, r *Request, valid time.Duration) (string, error) {
	u, g, err := c.check(r)
	if err != nil {
		return "", err
	}
	h, err := header(r.Headers)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(r.Headers, func(s string) bool { return strings.EqualFold(s, "User-Agent") }) {
		delete(h, "User-Agent") // ours: who uses the URL has another
	}
	if r.Credential == "" {
		return "", storagedriver.NewError(storagedriver.KindInvalidArgument, "presign: the request names no credential")
	}
	u.Host = g.host
	req := (&http.Request{Method: r.Method, URL: u, Host: u.Host, Header: h}).WithContext(ctx)
	credential := &g.rule.Credential
	if err := credential.check(r.Credential, req, g.origin); err != nil {
		return "", err
	}
	text, err := credential.Signer.Presign(ctx, req, valid)
	if err != nil {
		return "", credential.failure(err, g.origin)
	}
	_, result, err := c.check(&Request{Method: r.Method, URL: text})
	if err != nil {
		return "", err
	}
	if result != g {
		return "", storagedriver.Errorf(storagedriver.KindDenied, "the credential %q made a URL of %s for a request to %s", credential.Name, result.origin, g.origin)
	}
	return text, nil
}
