package egress

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// route is a request that is on its way along redirects.
type route struct {
	ctx     context.Context
	first   *grant
	r       Request // the next one to send, with its Checked
	u       *url.URL
	until   time.Time
	guards  []guard  // of the requests that were sent
	visited []string // methods and URLs
}

func isRedirect(resp *Response) bool {
	switch resp.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// follow goes on from resp, which it takes over. A redirect that asks for the body again, when that can be read but
// once, is answered as it is.
func (c *Client) follow(f *route, resp *Response) (*Response, error) {
	origin := f.first.origin
	for n := 0; isRedirect(resp); n++ {
		f.visited = append(f.visited, f.r.Checked.method+" "+f.u.String())
		if f.again(resp.Status) && f.r.hasBody() && f.r.Once {
			return resp, nil
		}
		g, err := c.next(f, origin, n, resp)
		if err != nil {
			_ = resp.Body.Close() // the refusal is the error to tell
			return nil, err
		}
		origin = g.origin
		resp.Body.x.ended = nil // the last one's to call
		_ = resp.Body.Close()   // nobody wants to know what was in it
		var shown guard
		if resp, shown, err = c.send(f.ctx, g, f.u, &f.r, f.until); err != nil {
			return nil, err
		}
		for _, earlier := range f.guards {
			if err := earlier.now().headers(resp.Header); err != nil {
				resp.Body.drop(err)
				return nil, err
			}
			resp.Body.r = earlier.body(resp.Body.r)
		}
		f.guards = append(f.guards, shown)
	}
	return resp, nil
}

// next makes f.r and f.u the request that resp, the answer of from, asks for, and returns the grant of its origin.
// Whatever is wrong with it names both origins, and nothing else of the Location: that may hold a secret.
func (c *Client) next(f *route, from Origin, n int, resp *Response) (*grant, error) {
	u, err := f.u.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindCorrupt, "%s redirects to what is no URL", from)
	}
	g, err := c.checkURL(u)
	if err != nil {
		kind := storagedriver.KindOf(err)
		var e *storagedriver.Error
		if errors.As(err, &e) {
			err = e.Err // without the kind, which is told once
		}
		return nil, storagedriver.Errorf(kind, "%s redirects to where it may not: %w", from, err)
	}
	if from.Scheme == "https" && g.origin.Scheme == "http" {
		return nil, storagedriver.Errorf(storagedriver.KindDenied, "%s redirects to %s, from https to http", from, g.origin)
	}
	if n == f.first.rule.Redirects {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "%s redirects to %s after the %d redirects that the rule for %s allows", from, g.origin, n, f.first.origin)
	}
	u.Host = g.host
	f.change(resp.Status, g != f.first)
	f.u, f.r.URL = u, u.String()
	if slices.Contains(f.visited, f.r.Checked.method+" "+f.r.URL) {
		return nil, storagedriver.Errorf(storagedriver.KindCorrupt, "%s redirects to %s in a loop", from, g.origin)
	}
	return g, nil
}

// again tells whether a redirect of this status asks for the same method and body, as browsers have it.
func (f *route) again(status int) bool {
	switch method := f.r.Checked.method; status {
	case http.StatusMovedPermanently, http.StatusFound:
		return method != http.MethodPost
	case http.StatusSeeOther:
		return method == http.MethodGet || method == http.MethodHead
	}
	return true
}

// change makes f.r what is sent next. Away from the first origin it loses all that proves who asks, and for good,
// should it come back there: whoever redirects must not choose what is asked with the credential.
func (f *route) change(status int, away bool) {
	next := &Checked{method: f.r.Checked.method, header: f.r.Checked.header.Clone()}
	if !f.again(status) {
		next.method = http.MethodGet
		f.r.Data, f.r.Size, f.r.Open, f.r.Once, f.r.SHA256 = nil, 0, nil, false, nil
		for name := range next.header {
			if strings.HasPrefix(name, "Content-") || name == "Digest" || name == "Expect" {
				delete(next.header, name)
			}
		}
	}
	if away {
		f.r.Credential, f.r.Keyed = "", nil
		for name := range next.header {
			if _, ok := harmless[name]; !ok {
				delete(next.header, name)
			}
		}
	}
	f.r.Checked, f.r.Headers = next, nil
}

// harmless are the headers that go with a redirect to another origin. In any other one there could be a
// credential: each service has a name of its own for that.
var harmless = map[string]struct{}{
	"Accept": {}, "Accept-Language": {}, "Cache-Control": {}, "Content-Disposition": {}, "Content-Encoding": {}, "Content-Language": {},
	"Content-Md5": {}, "Content-Type": {}, "Digest": {}, "Expect": {}, "If-Match": {}, "If-Modified-Since": {}, "If-None-Match": {}, "If-Range": {},
	"If-Unmodified-Since": {}, "Range": {}, "User-Agent": {},
}

func (r *Request) hasBody() bool { return len(r.Data) > 0 || r.Size != 0 && r.Open != nil }

// end is for a request that nothing is left of to end.
func (r *Request) end() {
	if r.Ended != nil {
		r.Ended()
	}
}
