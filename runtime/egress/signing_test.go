package egress

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// signer is a scheme that has something of everything: a header that it sends as it is, one with the body's digest, a
// parameter of the query, URLs.
type signer struct {
	token  string // sent as it is
	err    error
	signed []*http.Request
	sums   []string
	before func(*http.Request)
}

func (s *signer) Sign(ctx context.Context, req *http.Request, payload sign.Payload) error {
	if s.err != nil {
		return s.err
	}
	sum, ok, err := payload.SHA256(ctx)
	if err != nil {
		return err
	}
	s.sums = append(s.sums, map[bool]string{true: string(sum[:]), false: "unknown"}[ok])
	s.signed = append(s.signed, req)
	req.Header.Set("Authorization", "Test "+s.token)
	q := req.URL.Query()
	q.Set("sig", "1")
	req.URL.RawQuery = q.Encode()
	return nil
}

func (s *signer) Presign(_ context.Context, req *http.Request, valid time.Duration) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	u := *req.URL
	if s.before != nil {
		r := &http.Request{URL: &u}
		s.before(r)
	}
	q := u.Query()
	q.Set("sig", valid.String())
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func (*signer) Owns() []string { return []string{"Authorization", "X-Test-Date", "?sig"} }

func (s *signer) Sent() []string {
	if s.token == "" {
		return nil
	}
	return []string{s.token}
}

func (s *signer) Secrets() []string { return append(s.Sent(), "the-signing-key") }

// signOne signs a request to http://store with the rule of that origin.
func signOne(t *testing.T, r *Request, rule *Rule) (*http.Request, guard, error) {
	t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	h, err := header(r.Headers)
	if err != nil {
		t.Fatal(err)
	}
	shared := h.Clone()
	req := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: h}
	g, err := prove(t.Context(), req, r, rule)
	if len(h) != len(shared) || u.String() != r.URL {
		t.Errorf("the request's own header or URL was changed: %v, %v", h, u)
	}
	return req, g, err
}

func bound(s sign.Signer) *Rule {
	return &Rule{Origin: "http://store", Credential: Credential{Name: "main", Signer: s}}
}

func TestWhatIsDenied(t *testing.T) {
	for name, c := range map[string]struct {
		r     Request
		rule  *Rule
		kind  storagedriver.Kind
		parts []string
	}{
		"none is bound":          {Request{Credential: "main"}, &Rule{}, storagedriver.KindDenied, []string{`"main"`, "http://store:80", `"allow"`, `"credential"`}},
		"another is bound":       {Request{Credential: "other"}, bound(&signer{}), storagedriver.KindDenied, []string{`"other"`, "http://store:80"}},
		"the scheme's header":    {Request{Credential: "main", Headers: []string{"x-test-date", "now"}}, bound(&signer{}), storagedriver.KindDenied, []string{"X-Test-Date", `"main"`}},
		"unsigned":               {Request{Headers: []string{"authorization", "Bearer mine"}}, bound(&signer{}), storagedriver.KindDenied, []string{"Authorization", "http://store:80"}},
		"the scheme's parameter": {Request{URL: "http://store/?a=1&SIG=2"}, bound(&signer{}), storagedriver.KindDenied, []string{`"SIG"`}},
		"an escaped one":         {Request{URL: "http://store/?a=1;%73ig=2"}, bound(&signer{}), storagedriver.KindDenied, []string{`"sig"`}},
		"a keyed one":            {Request{Keyed: []Keyed{{Name: "?sig", Value: "v", Secret: make([]byte, 20)}}}, bound(&signer{}), storagedriver.KindDenied, []string{`"?sig"`}},
		"a keyed Authorization":  {Request{Keyed: []Keyed{{Name: "authorization", Value: "v", Secret: make([]byte, 20)}}}, bound(&signer{}), storagedriver.KindDenied, []string{`"authorization"`}},
		"keyed past a proxy":     {Request{Keyed: []Keyed{{Name: "?sig", Value: "v", Secret: make([]byte, 20)}}}, &Rule{Proxy: "http://127.0.0.1:3128"}, storagedriver.KindDenied, []string{"http://store:80", "through a proxy", "use https"}},
		"a keyed Host":           {Request{Keyed: []Keyed{{Name: "host", Value: "v", Secret: make([]byte, 20)}}}, &Rule{}, storagedriver.KindDenied, []string{"Host"}},
		"a keyed proxy header":   {Request{Keyed: []Keyed{{Name: "proxy-authorization", Value: "v", Secret: make([]byte, 20)}}}, &Rule{}, storagedriver.KindDenied, []string{"Proxy-Authorization"}},
		"a line's end":           {Request{Keyed: []Keyed{{Name: "x", Value: "v\r\ny: z", Secret: make([]byte, 20)}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{`"X"`}},
		"no name":                {Request{Keyed: []Keyed{{Value: "v"}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{`""`}},
		"no parameter":           {Request{Keyed: []Keyed{{Name: "?", Value: "v"}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{"without a name"}},
		"twice":                  {Request{Keyed: []Keyed{{Name: "X", Value: "v"}, {Name: "x", Value: "w"}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{"X is set already"}},
		"set before":             {Request{Headers: []string{"x", "1"}, Keyed: []Keyed{{Name: "X", Value: "v"}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{"X is set already"}},
		"a parameter twice":      {Request{URL: "http://store/?k=1", Keyed: []Keyed{{Name: "?k", Value: "v"}}}, &Rule{}, storagedriver.KindInvalidArgument, []string{`"k"`}},
		"too much":               {Request{Keyed: []Keyed{{Name: "x", Value: strings.Repeat("v", 16<<10)}}}, &Rule{}, storagedriver.KindLimit, []string{"16384"}},
		"a digest of 31 bytes":   {Request{SHA256: make([]byte, 31)}, &Rule{}, storagedriver.KindInvalidArgument, []string{"31", "32"}},
		"a secret of 7 bytes":    {Request{Credential: "main"}, bound(&signer{token: "seven77"}), storagedriver.KindInvalidArgument, []string{`"main"`, "8 bytes"}},
		"an error with a secret": {Request{Credential: "main"}, bound(&signer{err: storagedriver.NewError(storagedriver.KindUnavailable, "no token for the-signing-key")}), storagedriver.KindUnavailable, []string{`"main"`, "http://store:80"}},
		"the signer's error":     {Request{Credential: "main"}, bound(&signer{err: storagedriver.NewError(storagedriver.KindPermission, "the client is disabled")}), storagedriver.KindPermission, []string{"the client is disabled"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.r.URL == "" {
				c.r.URL = "http://store/a"
			}
			_, _, err := signOne(t, &c.r, c.rule)
			if storagedriver.KindOf(err) != c.kind || err == nil {
				t.Fatalf("%v, want %v", err, c.kind)
			}
			for _, p := range c.parts {
				if !strings.Contains(err.Error(), p) {
					t.Errorf("%q does not mention %q", err, p)
				}
			}
			if strings.Contains(err.Error(), "the-signing-key") || strings.Contains(err.Error(), "seven77") {
				t.Errorf("%q holds a secret", err)
			}
		})
	}
}

func TestASignedRequest(t *testing.T) {
	s := &signer{token: "token-4711"}
	req, g, err := signOne(t, &Request{URL: "http://store/a?b=c", Credential: "main", Keyed: []Keyed{
		{Name: "x-key", Value: "Key a2V5", Secret: []byte("derived-key")}, {Name: "?k&1", Value: "a b/+=", Secret: []byte("derived-too")}}}, bound(s))
	if err != nil {
		t.Fatal(err)
	}
	if req.Header.Get("Authorization") != "Test token-4711" || req.Header.Get("X-Key") != "Key a2V5" || req.URL.Query().Get("k&1") != "a b/+=" || req.URL.Query().Get("b") != "c" {
		t.Errorf("%v %v", req.URL, req.Header)
	}
	for _, secret := range []string{"token-4711", "derived-key", "derived-too"} {
		err := g.headers(http.Header{"X": {secret}})
		if storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), "http://store:80") || !strings.Contains(err.Error(), `"main"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

// TestAnUnsignedRequestIsGuarded has a server that shows later what it was sent.
func TestAnUnsignedRequestIsGuarded(t *testing.T) {
	req, g, err := signOne(t, &Request{URL: "http://store/a"}, bound(&signer{token: "token-4711"}))
	if err != nil || req.Header.Get("Authorization") != "" {
		t.Fatalf("%v, %v", req.Header, err)
	}
	if err := g.headers(http.Header{"X": {"token-4711"}}); storagedriver.KindOf(err) != storagedriver.KindDenied {
		t.Error(err)
	}
	if err := g.failure(errors.New(`malformed response "token-4711"`)); storagedriver.KindOf(err) != storagedriver.KindDenied || strings.Contains(err.Error(), "4711") {
		t.Error(err)
	}
}

func TestARenewedTokenIsGuarded(t *testing.T) {
	s := &signer{token: "the-first-token"}
	rule := bound(s)
	if err := rule.Credential.bind(Origin{}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"the-first-token", "the-first-token", "the-second-token"} {
		s.token = token
		_, g, err := signOne(t, &Request{URL: "http://store/", Credential: "main"}, rule)
		if err != nil || g.headers(http.Header{"X": {token}}) == nil {
			t.Errorf("%s is not guarded: %v", token, err)
		}
	}
	s.token = "seven77"
	if err := rule.Credential.bind(Origin{Host: "store"}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || strings.Contains(err.Error(), "seven77") {
		t.Error(err)
	}
	if _, err := NewPolicy([]Rule{*bound(s)}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), `"main"`) || strings.Contains(err.Error(), "seven77") {
		t.Error(err)
	}
}

func TestPayloads(t *testing.T) {
	sum := func(s string) string { b := sha256.Sum256([]byte(s)); return string(b[:]) }
	opened := 0
	open := func(context.Context) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader("content")), nil
	}
	source := errors.New("the source is gone")
	for name, c := range map[string]struct {
		r      Request
		sum    string
		size   int64
		opened int
		err    error
	}{
		"none":        {Request{}, sum(""), 0, 0, nil},
		"empty":       {Request{Open: open}, sum(""), 0, 0, nil},
		"data":        {Request{Data: []byte("data")}, sum("data"), 4, 0, nil},
		"told":        {Request{Open: open, Size: 7, Once: true, SHA256: []byte(sum("told"))}, sum("told"), 7, 0, nil},
		"source":      {Request{Open: open, Size: 7}, sum("content"), 7, 1, nil},
		"once":        {Request{Open: open, Size: 7, Once: true}, "unknown", 7, 0, nil},
		"of any size": {Request{Open: open, Size: -1}, sum("content"), -1, 1, nil},
		"failing":     {Request{Open: func(context.Context) (io.ReadCloser, error) { return nil, source }, Size: 7}, "", 7, 0, source},
		"reading": {Request{Open: func(context.Context) (io.ReadCloser, error) { return &pieces{end: source}, nil },
			Size: 7}, "", 7, 0, source},
	} {
		t.Run(name, func(t *testing.T) {
			opened = 0
			s := &signer{}
			c.r.URL, c.r.Credential = "http://store/", "main"
			_, _, err := signOne(t, &c.r, bound(s))
			if !errors.Is(err, c.err) || err == nil && (!slices.Equal(s.sums, []string{c.sum})) || opened != c.opened {
				t.Errorf("%q, opened %d times, %v", s.sums, opened, err)
			}
			p := &payload{r: &c.r}
			for range 2 {
				if _, _, err := p.SHA256(t.Context()); !errors.Is(err, c.err) {
					t.Error(err)
				}
			}
			if p.Size() != c.size || opened != 2*c.opened {
				t.Errorf("a size of %d, opened %d times", p.Size(), opened)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := (&payload{r: &Request{Open: open, Size: -1}}).SHA256(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
