package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func newDoer(t *testing.T, cfg Config, rules ...Rule) *Doer {
	t.Helper()
	cfg.ConnectTimeout, cfg.FirstByteTimeout, cfg.IdleTimeout, cfg.MaxIdleConns = time.Minute, time.Minute, time.Minute, 1
	d, err := NewDoer(cfg, rules...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// newTokenServer echoes what it was sent, redirects from /away and is lengthy at /large.
func newTokenServer(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/token", http.StatusFound)
		case "/large":
			w.Header().Set("Content-Length", "2097152")
			_, _ = w.Write(make([]byte, 2<<20))
		default:
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Subject-Token", "t")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Authorization")+" "+string(b))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestADoerIsAnHTTPClientUnderRules(t *testing.T) {
	s := newTokenServer(t)
	d := newDoer(t, Config{}, Rule{Origin: s.URL, Redirects: 5})
	for _, again := range []bool{true, false} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/token", strings.NewReader("grant=x"))
		if err != nil {
			t.Fatal(err)
		}
		if !again {
			req.GetBody = nil
		}
		req.Header.Set("Authorization", "Basic abc")
		resp, err := d.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || string(b) != "POST Basic abc grant=x" {
			t.Errorf("%q, %v, %v", b, err, cerr)
		}
		if resp.StatusCode != 201 || resp.Status != "201 Created" || resp.Header.Get("X-Subject-Token") != "t" || resp.Request != req {
			t.Errorf("%+v", resp)
		}
	}
}

func TestWhatADoerRefuses(t *testing.T) {
	s := newTokenServer(t)
	d := newDoer(t, Config{}, Rule{Origin: s.URL, Redirects: 5})
	get := func(ctx context.Context, url string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Do(req)
	}
	resp, err := get(t.Context(), s.URL+"/away")
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("a redirect: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if _, err := get(t.Context(), s.URL+"/large"); storagedriver.KindOf(err) != limited || !strings.Contains(err.Error(), "more than the 1048576 of the limit on a response") {
		t.Errorf("a large response: %v", err)
	}
	if _, err := get(t.Context(), "http://127.0.0.1:9/?password=geheim"); storagedriver.KindOf(err) != denied || !strings.Contains(err.Error(), "http://127.0.0.1:9 is not allowed") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("another origin: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := get(ctx, s.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context: %v", err)
	}
	d.Close()
	if _, err := get(t.Context(), s.URL); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("after Close: %v", err)
	}
}

// closing notes that a body was closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

func TestADoerIsNotAskedInTheClearThroughAProxy(t *testing.T) {
	_, err := NewDoer(Config{}, Rule{Origin: "http://tokens.example", Proxy: "http://127.0.0.1:3128"})
	if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "http://tokens.example") || !strings.Contains(err.Error(), "use https") {
		t.Errorf("%v", err)
	}
	d, err := NewDoer(Config{}, Rule{Origin: "https://tokens.example", Proxy: "http://127.0.0.1:3128"})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

func TestADoerChecksAddressesAndClosesBodies(t *testing.T) {
	w := newWorld(t, "10.0.0.1")
	d := newDoer(t, Config{DialContext: w.dial, Resolver: w}, Rule{Origin: "http://tokens.example"})
	for _, r := range []struct{ url, host, err string }{
		{"http://tokens.example/", "", "http://tokens.example:80 leads to 10.0.0.1, a private address"},
		{"http://tokens.example/", "other.example", "the request has another host than its URL"},
		{"http://other.example/", "", "http://other.example:80 is not allowed"},
	} {
		body := &closing{Reader: strings.NewReader("x")}
		req, err := http.NewRequestWithContext(t.Context(), "POST", r.url, body)
		if err != nil {
			t.Fatal(err)
		}
		if r.host != "" {
			req.Host = r.host
		}
		if _, err := d.Do(req); storagedriver.KindOf(err) != denied || !strings.Contains(err.Error(), r.err) {
			t.Errorf("%+v: %v", r, err)
		}
		if body.closed == 0 {
			t.Errorf("%+v: the body is open", r)
		}
	}
	if len(w.dialled) != 0 {
		t.Errorf("dialled %v", w.dialled)
	}
	if _, err := NewDoer(Config{}, Rule{Origin: "tokens"}); storagedriver.KindOf(err) != invalid || !strings.Contains(err.Error(), `the origin "tokens"`) {
		t.Errorf("%v", err)
	}
}

// TestADoerQuotesNoAnswer has servers of tokens answer with what is not HTTP: nobody knows yet what in that is a token.
func TestADoerQuotesNoAnswer(t *testing.T) {
	const fresh = "fresh-token-4711"
	for name, answer := range map[string]string{
		"no status line": `{"access_token":"` + fresh + `"}` + "\r\n\r\n",
		"status code":    "HTTP/1.1 " + fresh + "\r\n\r\n",
		"header":         "HTTP/1.1 200 OK\r\n" + fresh + "\r\n\r\n",
		"length":         "HTTP/1.1 200 OK\r\nContent-Length: " + fresh + "\r\n\r\n",
		"encoding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + fresh + "\r\n\r\n",
		"trailer":        chunked + fresh + "\r\n\r\n",
	} {
		s := httptest.NewServer(raw(func(string) string { return answer }))
		d := newDoer(t, Config{}, Rule{Origin: s.URL})
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := d.Do(req)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if storagedriver.KindOf(err) != offline || !strings.Contains(err.Error(), s.URL) || !strings.Contains(err.Error(), "(what was sent is not shown)") || strings.Contains(err.Error(), fresh[:5]) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

func TestADoerEndsWithItsRequests(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-release }))
	defer s.Close()
	defer close(release)
	d := newDoer(t, Config{}, Rule{Origin: s.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := d.Do(req)
		done <- err
	}()
	<-asked
	d.Close()
	if err := <-done; storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("%v", err)
	}
}
