package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// TestMain has a proxy in the environment, of which no test may see anything.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		if err := os.Setenv(name, "http://192.0.2.9:9"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func TestOriginsAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"http://a": "http://a:80", "HTTPS://A.Example.": "https://a.example:443", "http://a:8080/": "http://a:8080",
		"http://[::1]:9": "http://[::1]:9", "http://[0:0:0:0:0:0:0:1]": "http://[::1]:80", "http://127.0.0.1": "http://127.0.0.1:80",
		"http://[::ffff:127.0.0.1]": "http://127.0.0.1:80",
	} {
		o, err := ParseOrigin(in)
		if err != nil || o.String() != want {
			t.Errorf("%s: %v, %v; want %s", in, o, err, want)
		}
	}
	for _, bad := range []string{"", "a", "//a", "ftp://a", "http://", "http://a/b", "http://a?b", "http://a#b", "http://u:p@a", "http://a:0", "http://a:65536", "http://*", "http:a", "http://a b", "http://a%00b",
		"http://$(reboot)", "http://a;b", "http://ex\u00e4mple", "http://\u212a", "http://[fe80::1%25eth0]", "http://a\\@b", "http://" + strings.Repeat("a", 254)} {
		if o, err := ParseOrigin(bad); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%q: %v, %v", bad, o, err)
		}
	}
	if _, err := ParseOrigin("http://user:geheim@host"); strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v tells the password", err)
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"http://a", "https://[::1]:1", "http://a:99999", "http://a@b", "http://%41"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOrigin(s)
		if err != nil {
			return
		}
		again, err := ParseOrigin(o.String())
		if err != nil || again != o {
			t.Fatalf("%q is %v, which is %v, %v", s, o, again, err)
		}
	})
}

func TestHeadersAreChecked(t *testing.T) {
	for _, name := range []string{"host", "Content-Length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade",
		"proxy-authorization", "Proxy-Connection", "accept-encoding"} {
		if _, err := header([]string{name, "x"}); storagedriver.KindOf(err) != storagedriver.KindDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, pair := range [][]string{{"a", "b\r\nc: d"}, {"a", "b\nc"}, {"a", "\x00"}, {"a\r\nb", "c"}, {"", "x"}, {"a b", "c"}, {"a:", "c"}, {"a"}} {
		if _, err := header(pair); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%q: %v", pair, err)
		}
	}
	for _, long := range [][]string{make([]string, 2*abi.MaxHeaders+2), {"a", strings.Repeat("x", abi.MaxHeaderBytes)}} {
		if _, err := header(long); storagedriver.KindOf(err) != storagedriver.KindLimit {
			t.Errorf("%d strings: %v", len(long), err)
		}
	}
	h, err := header([]string{"x-a", "1", "X-A", "2", "range", "bytes=0-1"})
	if err != nil || strings.Join(h["X-A"], ",") != "1,2" || h.Get("Range") != "bytes=0-1" || h.Get("User-Agent") != "berth" {
		t.Errorf("%v, %v", h, err)
	}
}

// recorder notes what is dialled.
type recorder struct {
	mu      sync.Mutex
	dialled []string
}

func (r *recorder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	r.dialled = append(r.dialled, address)
	r.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, address)
}

func newClient(t *testing.T, dial DialFunc, limit time.Duration, allow ...string) *Client {
	t.Helper()
	p, err := NewPolicy(Origins(allow...))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(Config{Policy: p, ConnectTimeout: limit, FirstByteTimeout: limit, IdleTimeout: limit, MaxIdleConns: 10, DialContext: dial})
	t.Cleanup(c.Close)
	return c
}

func TestOnlyAllowedOriginsAreDialled(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:7/", http.StatusFound))
	defer s.Close()
	var rec recorder
	c := newClient(t, rec.dial, time.Minute, s.URL)
	resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL + "/"})
	if err != nil || resp.Status != http.StatusFound {
		t.Fatalf("%+v, %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	u, _ := url.Parse(s.URL)
	for _, other := range []string{"http://127.0.0.1:7/", "https://" + u.Host, "http://localhost:" + u.Port(), "http://127.0.0.2:" + u.Port()} {
		_, err := c.Do(t.Context(), &Request{Method: "GET", URL: other})
		if storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), "--allow ") {
			t.Errorf("%s: %v", other, err)
		}
	}
	if len(rec.dialled) != 1 || rec.dialled[0] != u.Host {
		t.Errorf("dialled %v, want %s once", rec.dialled, u.Host)
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	c := newClient(t, nil, time.Minute, "http://a")
	for _, r := range []Request{{Method: "CONNECT", URL: "http://a/"}, {Method: "G T", URL: "http://a/"}, {URL: "http://a/"}, {Method: "GET", URL: "/a"},
		{Method: "GET", URL: "http:a"}, {Method: "GET", URL: "http://u@a/"}, {Method: "GET", URL: "http://a/\x00"}, {Method: "connect", URL: "http://a/"}, {Method: "GET", URL: "http://a/?b HTTP/1.0"}, {Method: "GET", URL: "gopher://a/"}} {
		if err := c.Check(&r); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestNoProgressEndsARequest(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
	}))
	defer s.Close()
	defer close(release)
	c := newClient(t, nil, 60*time.Millisecond, s.URL)
	_, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "no progress") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, &Request{Method: "GET", URL: s.URL}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
}

// TestASlowLineIsNoError sends and receives with pauses that are together longer than the limit.
func TestASlowLineIsNoError(t *testing.T) {
	const limit = 400 * time.Millisecond
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rc := http.NewResponseController(w)
		for range 12 {
			pause := time.NewTimer(limit / 8)
			<-pause.C
			_, _ = w.Write([]byte("x"))
			_ = rc.Flush()
		}
	}))
	defer s.Close()
	c := newClient(t, nil, limit, s.URL)
	resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 12 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

// guarded is a body that fails the test when it is read after the request has ended.
type guarded struct {
	t      *testing.T
	mu     sync.Mutex
	ended  bool
	closed bool
}

func (g *guarded) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		g.t.Error("the body was read after the request had ended")
	}
	return len(p), nil
}

func (g *guarded) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return nil
}

func TestABodyIsLeftAloneAfterwards(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot) // long before it has the body
	}))
	defer s.Close()
	c := newClient(t, nil, time.Minute, s.URL)
	for range 20 {
		g := &guarded{t: t}
		resp, err := c.Do(t.Context(), &Request{Method: "PUT", URL: s.URL, Size: 1 << 40, Once: true,
			Open: func(context.Context) (io.ReadCloser, error) { return g, nil }})
		if err == nil {
			err = resp.Body.Close()
			if err != nil {
				t.Error(err)
			}
		}
		g.mu.Lock()
		if !g.closed {
			t.Error("the body is open")
		}
		g.ended = true
		g.mu.Unlock()
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000))
	}))
	defer s.Close()
	var rec recorder
	c := newClient(t, rec.dial, time.Minute, s.URL)
	for range 10 {
		resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil { // unread
			t.Fatal(err)
		}
	}
	if len(rec.dialled) != 1 {
		t.Errorf("%d connections for 10 requests", len(rec.dialled))
	}
}

// slow is a body that has a byte and no more until it is closed.
type slow struct {
	first  bool
	closed chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if !s.first {
		s.first = true
		p[0] = 'x'
		return 1, nil
	}
	<-s.closed
	return 0, io.ErrClosedPipe
}

// TestSendingDoesNotCountAsReading has an answer while the request is still being sent: how
// long nobody reads does not matter then, and how long somebody does, does.
func TestSendingDoesNotCountAsReading(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, 1))
		_, _ = w.Write([]byte("y"))
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer s.Close()
	const limit = 80 * time.Millisecond
	c := newClient(t, nil, limit, s.URL)
	closed := make(chan struct{})
	resp, err := c.Do(t.Context(), &Request{Method: "PUT", URL: s.URL, Size: 1000, Once: true, Open: func(ctx context.Context) (io.ReadCloser, error) {
		context.AfterFunc(ctx, func() { close(closed) })
		return io.NopCloser(&slow{closed: closed}), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	idle := time.NewTimer(4 * limit)
	<-idle.C
	if cause := context.Cause(resp.Body.x.ctx); cause != nil {
		t.Errorf("while nobody read: %v", cause)
	}
	if n, err := resp.Body.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Errorf("after a while: %d, %v", n, err)
	}
	if _, err := resp.Body.Read(make([]byte, 10)); storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "no progress") {
		t.Errorf("waiting for more: %v", err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestAClosedClientMakesNoRequests(t *testing.T) {
	c := newClient(t, nil, time.Minute, "http://127.0.0.1:1")
	c.Close()
	if _, err := c.Do(t.Context(), &Request{Method: "GET", URL: "http://127.0.0.1:1"}); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("%v", err)
	}
}
