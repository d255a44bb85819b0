package suite

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// Case is a signer to be tested.
type Case struct {
	// Signer can sign when Run is called: the servers it asks are there.
	Signer sign.Signer
	// Config is what it was made of; nil when that is no struct.
	Config any
	// Secrets are those that the test put into Config: Signer must know them all.
	Secrets []string
	// Origin is what requests go to; default https://examplebucket.example.com.
	Origin string
	// Path is that of requests; default "/container/a b/$1+2%.txt", unescaped.
	Path string
	// Presigns says that there are presigned URLs for GET of Path.
	Presigns bool
}

// Run tests that c.Signer does what sign.Signer promises.
func Run(t *testing.T, c Case) {
	t.Helper()
	if c.Origin == "" {
		c.Origin = "https://examplebucket.example.com"
	}
	if c.Path == "" {
		c.Path = "/container/a b/$1+2%.txt"
	}
	t.Run("changes only what it owns", c.owns)
	t.Run("signs each time anew", c.again)
	t.Run("secrets", c.secrets)
	t.Run("presigned URLs", c.presigned)
	t.Run("contexts", c.contexts)
	t.Run("concurrent", c.concurrent)
}

// request makes one of the requests that are signed.
func (c Case) request(t testing.TB, method, query string, headers ...string) *http.Request {
	t.Helper()
	u, err := url.Parse(c.Origin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path, u.RawQuery = c.Path, query
	req, err := http.NewRequest(method, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return req
}

// requests are of all the shapes that schemes treat differently.
func (c Case) requests(t testing.TB) []*http.Request {
	return []*http.Request{
		c.request(t, "GET", ""),
		c.request(t, "HEAD", "", "If-None-Match", `"a"`, "User-Agent", "berth"),
		c.request(t, "GET", "list-type=2&prefix=a%2Fb+c&empty=&flag&z=1&z=0", "Range", "bytes=0-9"),
		c.request(t, "PUT", "", "Content-Type", "text/plain", "Content-MD5", "XrY7u+Ae7tCTyyK7j1rNww==", "X-Amz-Meta-A", "  two  words ", "X-Ms-Meta-A", "b", "X-Oss-Meta-A", "c", "X-Object-Meta-A", "d"),
		c.request(t, "DELETE", "versionId=x%3D"),
	}
}

func payloadOf(req *http.Request) Payload {
	if req.Method == "PUT" {
		return Payload{Content: "hello world"}
	}
	return Payload{}
}

func (c Case) owns(t *testing.T) {
	owned := map[string]bool{}
	for _, name := range c.Signer.Owns() {
		if !strings.HasPrefix(name, "?") && name != textproto.CanonicalMIMEHeaderKey(name) || strings.TrimPrefix(name, "?") == "" {
			t.Errorf("Owns has %q, which is not a header in canonical form and not a parameter of the query", name)
		}
		owned[name] = true
	}
	for _, req := range c.requests(t) {
		before := req.Clone(context.Background())
		if err := c.Signer.Sign(context.Background(), req, payloadOf(req)); err != nil {
			t.Fatalf("%s %s: %v", req.Method, req.URL, err)
		}
		changed := 0
		for name, values := range req.Header {
			if !slices.Equal(values, before.Header[name]) {
				changed++
				if !owned[name] {
					t.Errorf("Sign set the header %s, which Owns does not name", name)
				}
				req.Header[name] = before.Header[name]
			}
			if before.Header[name] == nil {
				delete(req.Header, name)
			}
		}
		rest, added := strings.CutPrefix(req.URL.RawQuery, before.URL.RawQuery)
		if !added {
			t.Errorf("Sign made the query %q of %q", req.URL.RawQuery, before.URL.RawQuery)
		}
		for _, pair := range strings.Split(strings.TrimPrefix(rest, "&"), "&") {
			if name, _, _ := strings.Cut(pair, "="); pair != "" {
				changed++
				if !owned["?"+name] {
					t.Errorf("Sign added the parameter %s, which Owns does not name", name)
				}
			}
		}
		if changed == 0 {
			t.Errorf("Sign changed nothing in %s %s", before.Method, before.URL)
		}
		req.URL.RawQuery = before.URL.RawQuery
		if !reflect.DeepEqual(req, before) {
			t.Errorf("beside headers and the query, Sign made of\n%+v\nthis:\n%+v", before, req)
		}
	}
}

// again signs one request twice: what is signed may come from a pool, or be sent once more.
func (c Case) again(t *testing.T) {
	req := c.request(t, "GET", "")
	for range 2 {
		if err := c.Signer.Sign(context.Background(), req, Payload{}); err != nil {
			t.Fatal(err)
		}
		for name, values := range req.Header {
			if len(values) != 1 {
				t.Errorf("the header %s has %d values", name, len(values))
			}
		}
		req.URL.RawQuery = ""
	}
}

func (c Case) secrets(t *testing.T) {
	if err := c.Signer.Sign(context.Background(), c.request(t, "GET", ""), Payload{}); err != nil {
		t.Fatal(err)
	}
	known := c.Signer.Secrets()
	for _, secret := range c.Secrets {
		if !slices.Contains(known, secret) {
			t.Errorf("Secrets does not have one of the configuration's")
		}
	}
	for _, secret := range c.Signer.Sent() {
		if !slices.Contains(known, secret) {
			t.Errorf("Secrets does not have one that Sent has")
		}
	}
	if len(known) == 0 || slices.Contains(known, "") {
		t.Errorf("Secrets has %d texts, and an empty one: %v", len(known), slices.Contains(known, ""))
	}
	type holder struct {
		signer sign.Signer
		config any
	}
	for _, v := range []any{c.Signer, c.Config, &c.Config, []any{c.Signer, c.Config}, map[string]any{"a": c.Config, "b": c.Signer}, holder{c.Signer, c.Config}, &holder{c.Signer, c.Config}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			c.search(t, known, verb, fmt.Sprintf(verb, v))
		}
		if text, err := json.Marshal(v); err == nil {
			c.search(t, known, "JSON", string(text))
		}
	}
}

// search looks for secrets in a text that must have none.
func (c Case) search(t testing.TB, secrets []string, where, text string) {
	t.Helper()
	for _, secret := range secrets {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret), strings.ToUpper(hex.EncodeToString([]byte(secret)))} {
			if form != "" && strings.Contains(text, form) {
				t.Errorf("%s shows a secret", where)
				return
			}
		}
	}
}

func (c Case) presigned(t *testing.T) {
	ctx := context.Background()
	req := c.request(t, "GET", "")
	before := req.Clone(ctx)
	raw, err := c.Signer.Presign(ctx, req, time.Hour)
	if !reflect.DeepEqual(req, before) {
		t.Errorf("Presign changed the request")
	}
	if !c.Presigns {
		if storagedriver.KindOf(err) != storagedriver.KindUnsupported || raw != "" {
			t.Fatalf("Presign answered %q and %v, not %v", raw, err, storagedriver.KindUnsupported)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatalf("Presign answered no URL: %v", err)
	}
	if u.Scheme != req.URL.Scheme || u.Host != req.URL.Host || u.Path != req.URL.Path || u.User != nil || u.Fragment != "" {
		t.Errorf("Presign answered %s for %s", raw, req.URL)
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(parameters) == 0 {
		t.Errorf("the query %q: %v", u.RawQuery, err)
	}
	for name := range parameters {
		if !slices.Contains(c.Signer.Owns(), "?"+name) {
			t.Errorf("the presigned URL has the parameter %s, which Owns does not name", name)
		}
	}
	// Session tokens are in such URLs, and prove nothing without their key.
	for _, secret := range c.Signer.Sent() {
		raw = strings.ReplaceAll(raw, url.QueryEscape(secret), "")
	}
	c.search(t, c.Signer.Secrets(), "the presigned URL", raw)
	for _, valid := range []time.Duration{-time.Second, 0, time.Second - 1, 7*24*time.Hour + 1} {
		if got, err := c.Signer.Presign(ctx, c.request(t, "GET", ""), valid); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "1 second to 7 days") {
			t.Errorf("Presign for %v: %q, %v", valid, got, err)
		}
	}
}

func (c Case) contexts(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	req := c.request(t, "PUT", "")
	if err := c.Signer.Sign(ctx, req, Payload{Content: "a"}); err != nil && storagedriver.KindOf(err) != storagedriver.KindCanceled {
		t.Errorf("Sign under a context that has ended: %v", err)
	}
}

func (c Case) concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		requests := c.requests(t)
		wg.Go(func() {
			for _, req := range requests {
				if err := c.Signer.Sign(context.Background(), req, payloadOf(req)); err != nil {
					t.Error(err)
				}
				_, _ = c.Signer.Presign(context.Background(), req, time.Minute)
				c.Signer.Sent()
				c.Signer.Secrets()
				if r, ok := c.Signer.(sign.Rejecter); ok {
					r.Rejected(req)
				}
			}
		})
	}
	wg.Wait()
}
