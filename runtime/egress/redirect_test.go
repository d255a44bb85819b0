package egress

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func TestDecisionsOnRedirects(t *testing.T) {
	const (
		ans  = "a.example=8.8.4.4 b.example=9.9.9.9 inner.example=10.0.0.1 half.example=9.9.9.9,::1"
		from = "http://a.example redirects=3"
		two  = from + "; http://b.example; http://b.example:8080; http://127.0.0.1; http://inner.example; http://half.example"
	)
	both := "8.8.4.4:80 9.9.9.9:80"
	for _, d := range []decision{ // url is the Location
		{two, ans, "http://b.example/x", both, passes, ""},
		{two, ans, "//b.example/x", both, passes, ""},
		{two, ans, "HTTP://B.Example./x", both, passes, ""},
		{two, ans, "http://b.example:8080/x", "8.8.4.4:80 9.9.9.9:8080", passes, ""},
		{two, ans, "http://127.0.0.1/x", "8.8.4.4:80 127.0.0.1:80", passes, ""},
		{two, ans, "/x", "8.8.4.4:80", passes, ""},
		{two, ans, "x?y=z", "8.8.4.4:80", passes, ""},
		{two, ans, "?y", "8.8.4.4:80", corrupt, "in a loop"},
		{two, ans, "http://A.EXAMPLE:080/x", "8.8.4.4:80", passes, ""},
		{two, ans, `/\evil.example/`, "8.8.4.4:80", passes, ""},
		{"http://a.example; http://b.example", ans, "http://b.example/x", "8.8.4.4:80", passes, ""},
		{"http://a.example", ans, "http://evil.example/x", "8.8.4.4:80", passes, ""},
		{two, ans, "http://evil.example/x", "8.8.4.4:80", denied, "http://a.example:80 redirects to where it may not: the origin http://evil.example:80 is not allowed"},
		{two, ans, "//evil.example/x", "8.8.4.4:80", denied, "the origin http://evil.example:80 is not allowed"},
		{two, ans, "https://b.example/x", "8.8.4.4:80", denied, "the origin https://b.example:443 is not allowed"},
		{two, ans, "http://b.example:81/x", "8.8.4.4:80", denied, "http://b.example:81 is not allowed"},
		{two, ans, "http://169.254.169.254/latest/", "8.8.4.4:80", denied, "http://169.254.169.254:80 is not allowed"},
		{two, ans, "http://[::ffff:169.254.169.254]/latest/", "8.8.4.4:80", denied, "http://169.254.169.254:80 is not allowed"},
		{two, ans, "http://inner.example/x", "8.8.4.4:80", denied, "http://inner.example:80 leads to 10.0.0.1, a private address"},
		{two, ans, "http://half.example/x", "8.8.4.4:80", denied, "http://half.example:80 leads to ::1, a loopback address"},
		{two, ans, "http://127.1/x", "8.8.4.4:80", invalid, `http://a.example:80 redirects to where it may not: the host "127.1" ends in a number`},
		{two, ans, "http://2130706433/", "8.8.4.4:80", invalid, "ends in a number"},
		{two, ans, "http://u:geheim@b.example/", "8.8.4.4:80", invalid, "a user in it"},
		{two, ans, "file:///etc/passwd", "8.8.4.4:80", invalid, "http://a.example:80 redirects to where it may not: the URL is not an absolute one"},
		{two, ans, "data:text/plain,x", "8.8.4.4:80", invalid, "the URL is not an absolute one"},
		{two, ans, "gopher://b.example/", "8.8.4.4:80", invalid, `the scheme "gopher"`},
		{two, ans, "http://b.example\\@evil.example/", "8.8.4.4:80", corrupt, "http://a.example:80 redirects to what is no URL"},
		{two, ans, "http://b.ex%61mple/", "8.8.4.4:80", corrupt, "redirects to what is no URL"},
		{two, ans, "http://b.example:x/", "8.8.4.4:80", corrupt, "redirects to what is no URL"},
		{two, ans, "/from", "8.8.4.4:80", corrupt, "http://a.example:80 redirects to http://a.example:80 in a loop"},
		{two, ans, "http://a.example./from#again", "8.8.4.4:80", corrupt, "in a loop"},
		{two, ans, "http://b.example/from", both, corrupt, "http://b.example:80 redirects to http://b.example:80 in a loop"},
		{two, ans, "http://gone.example/x", "8.8.4.4:80", denied, "http://gone.example:80 is not allowed"},
		{two + "; http://gone.example", ans, "http://gone.example/x", "8.8.4.4:80", offline, "cannot reach http://gone.example:80"},
	} {
		w := newWorld(t, d.answers)
		w.answer = func(r *http.Request) string {
			if r.URL.Path == "/from" {
				return "HTTP/1.1 302 Found\r\nLocation: " + d.url + "\r\nContent-Length: 0\r\n\r\n"
			}
			return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		}
		rules := rulesOf(t, d.rules)
		got, err := status(t.Context(), w.client(rules...), &Request{Method: http.MethodGet, URL: "http://a.example/from"})
		d.check(t, w, err)
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v tells a password", err)
		}
		want := map[bool]int{true: 200, false: 302}[rules[0].Redirects > 0]
		if err == nil && got != want {
			t.Errorf("%+v: answered %d, want %d", d, got, want)
		}
	}
}

func TestRedirectsFromHTTPSStayThere(t *testing.T) {
	ca := newAuthority(t)
	w := newWorld(t, "8.8.4.4")
	w.tls = ca.server("a.example")
	w.answer = func(*http.Request) string {
		return "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://a.example/\r\nContent-Length: 0\r\n\r\n"
	}
	c := w.client(rulesOf(t, "https://a.example redirects=1 ca="+ca.file+"; http://a.example")...)
	_, err := status(t.Context(), c, &Request{Method: http.MethodGet, URL: "https://a.example/"})
	if storagedriver.KindOf(err) != denied || !strings.Contains(err.Error(), "https://a.example:443 redirects to http://a.example:80, from https to http") {
		t.Errorf("%v", err)
	}
	if got := strings.Join(w.dialled, " "); got != "8.8.4.4:443" {
		t.Errorf("dialled %s", got)
	}
}

// hops is a server that redirects from /N/CODE to /N-1/CODE on other, and says at /0 what it was asked.
func hops(t *testing.T, other func() string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n, code int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%d", &n, &code); err != nil {
			t.Error(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if n > 0 {
			w.Header().Set("Location", fmt.Sprintf("%s/%d/%d", other(), n-1, code))
			w.WriteHeader(code)
			return
		}
		names := []string{}
		for name := range r.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		_, _ = fmt.Fprintf(w, "%s %q %s", r.Method, b, strings.Join(names, ","))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestMethodsAndBodiesAcrossRedirects(t *testing.T) {
	var s *httptest.Server
	s = hops(t, func() string { return s.URL })
	c := newRuleClient(t, Config{}, Rule{Origin: s.URL, Redirects: 2})
	stream := func() Request {
		return Request{Size: 4, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil }}
	}
	data := func() Request { return Request{Data: []byte("body")} }
	once := func() Request { r := stream(); r.Once = true; return r }
	for _, c2 := range []struct {
		method string
		code   int
		body   func() Request
		want   string
	}{
		{"GET", 301, nil, `200 GET ""`}, {"HEAD", 302, nil, `200 `}, {"GET", 303, nil, `200 GET ""`}, {"GET", 308, nil, `200 GET ""`},
		{"POST", 301, data, `200 GET "" User-Agent,X-Own`}, {"POST", 302, stream, `200 GET ""`}, {"POST", 303, once, `200 GET ""`}, {"PUT", 303, data, `200 GET ""`}, {"HEAD", 303, nil, `200 `},
		{"PUT", 301, data, `200 PUT "body"`}, {"PUT", 302, stream, `200 PUT "body"`}, {"DELETE", 301, nil, `200 DELETE ""`},
		{"POST", 307, data, `200 POST "body" Content-Length,Content-Type,User-Agent,X-Own`}, {"PUT", 308, stream, `200 PUT "body"`},
		{"PUT", 307, once, `307 `}, {"PUT", 301, once, `301 `}, {"GET", 300, nil, `300 `}, {"GET", 304, nil, `304 `},
	} {
		var r Request
		if c2.body != nil {
			r = c2.body()
		}
		ended := 0
		r.Method, r.URL, r.Ended = c2.method, fmt.Sprintf("%s/2/%d", s.URL, c2.code), func() { ended++ }
		r.Headers = []string{"Content-Type", "text/plain", "X-Own", "1"}
		resp, err := c.Do(t.Context(), &r)
		if err != nil {
			t.Errorf("%s %d: %v", c2.method, c2.code, err)
			continue
		}
		b, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil {
			t.Error(err, cerr)
		}
		if got := fmt.Sprint(resp.Status, " ", string(b)); !strings.HasPrefix(got, c2.want) {
			t.Errorf("%s %d: %s, want %s", c2.method, c2.code, got, c2.want)
		}
		if ended != 1 {
			t.Errorf("%s %d: ended %d times", c2.method, c2.code, ended)
		}
	}
}

func TestTooManyRedirects(t *testing.T) {
	var s *httptest.Server
	s = hops(t, func() string { return s.URL })
	c := newRuleClient(t, Config{}, Rule{Origin: s.URL, Redirects: 2})
	ended := 0
	_, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL + "/3/302", Ended: func() { ended++ }})
	if storagedriver.KindOf(err) != limited || !strings.Contains(err.Error(), "after the 2 redirects that the rule for "+s.URL+" allows") || ended != 1 {
		t.Errorf("%v, ended %d times", err, ended)
	}
}

// TestCredentialsStayWithTheirOrigin goes to another origin, and back, with what may be secret and what is not; and
// with a credential that signs for both.
func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	var a, b *httptest.Server
	a = hops(t, func() string { return b.URL })
	b = hops(t, func() string { return a.URL })
	headers := []string{"Cookie", "c", "X-Auth-Token", "t", "X-Amz-Security-Token", "s", "Www-Authenticate", "w", "X-Own", "o", "Range", "bytes=0-", "Accept", "*/*", "If-Match", "e"}
	const safe = "Accept,If-Match,Range,User-Agent"
	sa, sb := &signer{token: "token-of-a"}, &signer{token: "token-of-b"}
	c := newRuleClient(t, Config{}, Rule{Origin: a.URL, Redirects: 3, Credential: Credential{Name: "one", Signer: sa}}, Rule{Origin: b.URL, Credential: Credential{Name: "one", Signer: sb}})
	for _, n := range []int{1, 2} { // at b, and at a again
		resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: fmt.Sprintf("%s/%d/302", a.URL, n), Headers: headers, Credential: "one"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil {
			t.Error(err, cerr)
		}
		if want := `GET "" ` + safe; string(got) != want {
			t.Errorf("after %d redirects: %s, want %s", n, got, want)
		}
	}
	if len(sa.signed) != 2 || len(sb.signed) != 0 {
		t.Errorf("signed %d and %d requests, want the two to the first origin", len(sa.signed), len(sb.signed))
	}
}

func TestASignerSignsEachHopAtItsOrigin(t *testing.T) {
	var s *httptest.Server
	s = hops(t, func() string { return s.URL })
	own := &signer{token: "token-of-a"}
	c := newRuleClient(t, Config{}, Rule{Origin: s.URL, Redirects: 3, Credential: Credential{Name: "one", Signer: own}})
	got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL + "/2/307", Credential: "one"})
	if err != nil || got != 200 || len(own.signed) != 3 {
		t.Errorf("%d, %v, signed %d times", got, err, len(own.signed))
	}
}

// TestASecretDoesNotComeBackByWayOfAnotherOrigin has a server put the credential into a redirect, plain and so that only
// the other origin can read it, which shows it in its answer.
func TestASecretDoesNotComeBackByWayOfAnotherOrigin(t *testing.T) {
	const token = "token-4711-of-a"
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, token) }))
	defer echo.Close()
	from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := echo.URL + "/"
		if r.URL.Path == "/plain" {
			to = "http://" + token + ".example/"
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer from.Close()
	c := newRuleClient(t, Config{}, Rule{Origin: from.URL, Redirects: 1, Credential: Credential{Name: "one", Signer: &signer{token: token}}}, Rule{Origin: echo.URL})
	for _, path := range []string{"/plain", "/hidden"} {
		_, err := status(t.Context(), c, &Request{Method: "GET", URL: from.URL + path, Credential: "one"})
		if storagedriver.KindOf(err) != denied || !strings.Contains(err.Error(), `shows the credential "one"`) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// newRuleClient is a Client for the rules with patience, closed with the test.
func newRuleClient(t testing.TB, cfg Config, rules ...Rule) *Client {
	t.Helper()
	var err error
	if cfg.Policy, err = NewPolicy(rules); err != nil {
		t.Fatal(err)
	}
	cfg.MaxIdleConns = 10
	for _, limit := range []*time.Duration{&cfg.ConnectTimeout, &cfg.FirstByteTimeout, &cfg.IdleTimeout} {
		if *limit == 0 {
			*limit = time.Minute
		}
	}
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}
