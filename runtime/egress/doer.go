package egress

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// maxDoerResponse is the most bytes of a response to a Doer: tokens with a long list of services have some 100 KiB.
const maxDoerResponse = 1 << 20

// Doer sends the requests that signers make by themselves, for tokens, to the origins of its rules: no redirects,
// responses of at most 1 MiB. It may be used concurrently.
type Doer struct{ c *Client }

var _ sign.Doer = (*Doer)(nil)

// NewDoer returns a Doer under cfg, of which Policy is not looked at. The rules' credentials are not used and their
// redirects not followed. What a rule has wrong is KindInvalidArgument. The caller closes it.
func NewDoer(cfg Config, rules ...Rule) (*Doer, error) {
	plain := make([]Rule, len(rules))
	for i, r := range rules {
		if r.Proxy != "" && strings.HasPrefix(r.Origin, "http:") {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s is asked for tokens through a proxy, which would see what is sent: use https", r.Origin)
		}
		r.Redirects, r.Credential = 0, Credential{}
		plain[i] = r
	}
	var err error
	if cfg.Policy, err = NewPolicy(plain); err != nil {
		return nil, err
	}
	if cfg.MaxResponse == 0 || cfg.MaxResponse > maxDoerResponse {
		cfg.MaxResponse = maxDoerResponse
	}
	c := NewClient(cfg)
	c.doer = true
	return &Doer{c}, nil
}

// Close closes idle connections and ends what is under way. Requests made afterwards are KindClosed.
func (d *Doer) Close() { d.c.Close() }

// Do implements sign.Doer. Errors, also those of reading the response, hold nothing of the request but its origin, and nothing
// of the response.
func (d *Doer) Do(req *http.Request) (*http.Response, error) {
	r, err := requestOf(req)
	var resp *Response
	if err == nil {
		resp, err = d.c.Do(req.Context(), r)
	}
	if req.Body != nil && (err != nil || !r.Once) { // nobody else closes it
		_ = req.Body.Close() // it was to be read
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", resp.Status, http.StatusText(resp.Status)), StatusCode: resp.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: resp.Header, Body: resp.Body, ContentLength: resp.Length, Request: req,
	}, nil
}

func requestOf(req *http.Request) (*Request, error) {
	if req.URL == nil {
		return nil, errNoURL
	}
	if req.Host != "" && req.Host != req.URL.Host {
		return nil, storagedriver.NewError(storagedriver.KindDenied, "the request has another host than its URL")
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	r := &Request{Method: method, URL: req.URL.String(), Once: true}
	for name, values := range req.Header {
		for _, v := range values {
			r.Headers = append(r.Headers, name, v)
		}
	}
	if req.Body == nil || req.Body == http.NoBody {
		return r, nil // Once does not matter
	}
	if r.Size = req.ContentLength; r.Size == 0 {
		r.Size = -1
	}
	r.Open = func(context.Context) (io.ReadCloser, error) { return req.Body, nil }
	if again := req.GetBody; again != nil {
		r.Once = false
		r.Open = func(context.Context) (io.ReadCloser, error) { return again() }
	}
	return r, nil
}
