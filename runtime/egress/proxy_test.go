package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// proxy is one of HTTP that knows one server, whatever it is asked for, and notes what that was.
type proxy struct {
	*httptest.Server
	to string

	mu    sync.Mutex
	asked []string
}

func newProxy(t *testing.T, to string) *proxy {
	p := &proxy{to: to}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	note := r.Method + " " + r.RequestURI + " " + r.Host
	for name := range r.Header {
		if name != "User-Agent" {
			note += " " + name
		}
	}
	p.asked = append(p.asked, note)
	p.mu.Unlock()
	if strings.HasPrefix(r.RequestURI, "refused") {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(w, "by proxy")
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(there, bufio.NewReader(buffered))
		_ = there.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(here, there)
	_ = here.Close()
	<-done
}

func (p *proxy) notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func TestAProxyIsTheRulesAlone(t *testing.T) {
	ca := newAuthority(t)
	target := serveTLS(t, ca.server("store.example"))
	p := newProxy(t, target.Listener.Addr().String())
	direct := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer direct.Close()
	via, own := "http://"+p.Listener.Addr().String(), &signer{token: "token-4711"}
	w := newWorld(t, "proxy.example=127.0.0.1")
	_, port, _ := net.SplitHostPort(p.Listener.Addr().String())
	c := newRuleClient(t, Config{Resolver: w},
		Rule{Origin: "http://plain.example", Proxy: via},
		Rule{Origin: "http://named.example", Proxy: "http://proxy.example:" + port}, // and loopback needs no word: the operator named the proxy
		Rule{Origin: "https://store.example", Proxy: via, TLS: TLS{CAFile: ca.file}, Credential: Credential{Name: "one", Signer: own}},
		Rule{Origin: "https://store.example:8443", Proxy: via},
		Rule{Origin: "https://refused.example", Proxy: via},
		Rule{Origin: direct.URL})
	for _, r := range []struct{ url, want, err string }{
		{"http://Plain.Example.:080/path?q", "by proxy", ""},
		{"http://named.example/", "by proxy", ""},
		{"https://store.example/", "store.example store.example nobody", ""},
		{direct.URL, "direct", ""},
		{"https://store.example:8443/", "", "cannot reach https://store.example:8443 through the proxy " + via + ": tls: failed to verify"},
		{"https://refused.example/", "", "cannot reach https://refused.example:443 through the proxy " + via + ": Forbidden"},
	} {
		req := &Request{Method: "GET", URL: r.url}
		if strings.HasPrefix(r.url, "https://store.example/") {
			req.Credential = "one"
		}
		resp, err := c.Do(t.Context(), req)
		if r.err != "" {
			if storagedriver.KindOf(err) != offline || !strings.Contains(err.Error(), r.err) {
				t.Errorf("%s: %v", r.url, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", r.url, err)
			continue
		}
		b, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || string(b) != r.want {
			t.Errorf("%s: %q, %v, %v", r.url, b, err, cerr)
		}
	}
	want := []string{"GET http://plain.example/path?q plain.example", "GET http://named.example/ named.example", "CONNECT store.example:443 store.example:443",
		"CONNECT store.example:8443 store.example:8443", "CONNECT refused.example:443 refused.example:443"}
	if got := p.notes(); !slices.Equal(got, want) {
		t.Errorf("the proxy was asked\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(own.signed) != 1 || !slices.Equal(w.asked, []string{"proxy.example"}) {
		t.Errorf("signed %d times, asked for %v", len(own.signed), w.asked)
	}
}
