//go:build servers

package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// gate stands between a registry and its WebDAV server, and holds one request at the door.
type gate struct {
	*httptest.Server
	proxy *httputil.ReverseProxy

	mu sync.Mutex
	// The request to be held is the n-th of a method from now.
	method string
	n      int
	when   when
	held   chan struct{} // closed when it is there
	opened chan struct{} // closed to let it go, without an answer
	done   chan struct{} // closed when its effect is there
}

// when is when a request that is held takes its effect.
type when string

const (
	never  when = "not carried out"
	before when = "carried out before"
	late   when = "carried out late"
)

// newGate returns a gate before the server at origin. It is closed when the test ends.
func newGate(t *testing.T, origin string) *gate {
	t.Helper()
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{proxy: &httputil.ReverseProxy{
		// The Host stays: a MOVE's Destination is of the same.
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

// hold arms the gate, which must not be armed. held is closed when the request is there; open lets it go, and
// returns when that is done.
func (g *gate) hold(method string, n int, effect when) (held <-chan struct{}, open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.method, g.n, g.when = method, n, effect
	g.held, g.opened, g.done = make(chan struct{}), make(chan struct{}), make(chan struct{})
	return g.held, sync.OnceFunc(func() {
		g.mu.Lock()
		g.method = ""
		g.mu.Unlock()
		close(g.opened)
		select {
		case <-g.held:
			<-g.done
		default: // it never came
		}
	})
}

// arrives counts a request and reports whether it is to be held.
func (g *gate) arrives(method string) (held, opened chan struct{}, effect when, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if method == g.method {
		g.n--
		is = g.n == 0
	}
	return g.held, g.opened, g.when, is
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held, opened, effect, is := g.arrives(r.Method)
	if !is {
		g.proxy.ServeHTTP(w, r)
		return
	}
	carryOut := func() { // to its end, whoever goes away
		g.proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
	}
	switch effect {
	case before:
		carryOut()
	case late: // whole: who sends it goes away
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	close(held)
	<-opened
	defer close(g.done) // also when the server refuses it before it is whole
	if effect == late {
		carryOut()
	}
	panic(http.ErrAbortHandler)
}
