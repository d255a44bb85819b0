package runtime_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// several is a server that counts what it is sent.
type several struct {
	*httptest.Server
	asked atomic.Int64
}

// newSeveral answers /together when so many requests are there at once, /long and /chunked with 11 bytes, and others with their path.
func newSeveral(t *testing.T, together int) *several {
	t.Helper()
	s := &several{}
	var waiting sync.WaitGroup
	waiting.Add(together)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		switch {
		case r.URL.Path == "/together":
			waiting.Done()
			waiting.Wait()
		case r.URL.Path == "/long":
			w.Header().Set("Content-Length", "11")
		case r.URL.Path == "/chunked":
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-Path", r.URL.Path)
		if strings.HasPrefix(r.URL.Path, "/none") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, "%-11s", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *several) get(path string, limit int64) abi.HTTPRequest {
	return abi.HTTPRequest{Method: http.MethodGet, URL: s.URL + path, Max: limit, Want: []string{"X-Path"}}
}

// TestRequestsSideBySide has a server answer none before it has all.
func TestRequestsSideBySide(t *testing.T) {
	s := newSeveral(t, abi.MaxHTTPAll)
	d, _, _ := open(t, runtime.Config{Allow: egress.Origins(s.URL)}, nil)
	var m abi.HTTPAllRequest
	for range abi.MaxHTTPAll {
		m.Requests = append(m.Requests, s.get("/together", abi.MaxInline/abi.MaxHTTPAll))
	}
	var r abi.HTTPAllReply
	if e := serve(t, d, abi.HostHTTPAll, &m, &r); e != nil || len(r.Replies) != abi.MaxHTTPAll {
		t.Fatalf("got %d replies and %+v, want %d", len(r.Replies), e, abi.MaxHTTPAll)
	}
	for i, o := range r.Replies {
		if o.Err != nil || o.Status != http.StatusOK || string(o.Data) != "/together  " || o.Len != 11 || o.Body != 0 {
			t.Errorf("reply %d is %+v", i, o)
		}
	}
}

// TestRequestsSideBySideFailAlone has each of several come to an end of its own.
func TestRequestsSideBySideFailAlone(t *testing.T) {
	s, gone := newSeveral(t, 0), httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	d, _, _ := open(t, runtime.Config{Allow: append(egress.Origins(s.URL), egress.Origins(gone.URL)...)}, nil)
	head := s.get("/head", 0)
	head.Method = http.MethodHead
	cases := []struct {
		asked abi.HTTPRequest
		want  string
	}{
		{s.get("/a", 11), "200 x-path /a: /a         "},
		{s.get("/none", 11), "404 x-path /none: "},
		{s.get("/long", 10), "limit reached: the answer has more than 10 bytes"},
		{s.get("/chunked", 10), "limit reached: the answer has more than 10 bytes"},
		{s.get("/chunked", 11), "200 : /chunked   "},
		{head, "200 x-path /head: "},
		{abi.HTTPRequest{Method: http.MethodGet, URL: "http://elsewhere.invalid/", Max: 1}, "denied by policy: the origin http://elsewhere.invalid:80 is not allowed"},
		{abi.HTTPRequest{Method: http.MethodGet, URL: gone.URL, Max: 1}, "unavailable: "},
		{s.get("/z", 11), "200 x-path /z: /z         "},
	}
	var m abi.HTTPAllRequest
	for _, c := range cases {
		m.Requests = append(m.Requests, c.asked)
	}
	var r abi.HTTPAllReply
	if e := serve(t, d, abi.HostHTTPAll, &m, &r); e != nil || len(r.Replies) != len(cases) {
		t.Fatalf("got %d replies and %+v, want %d", len(r.Replies), e, len(cases))
	}
	for i, o := range r.Replies {
		got := fmt.Sprintf("%d %s: %s", o.Status, strings.Join(o.Headers, " "), o.Data)
		if o.Err != nil {
			got = fmt.Sprintf("%v: %s", storagedriver.Kind(o.Err.Kind), strings.TrimPrefix(o.Err.Message, "http_all: "))
		}
		if want := cases[i].want; got != want && (o.Err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("reply %d, of %s %s: got %q, want %q", i, cases[i].asked.Method, cases[i].asked.URL, got, want)
		}
	}
	if e := r.Replies[7].Err; e == nil || !e.Temporary {
		t.Errorf("an origin that is not there is answered by %+v, want something temporary", e)
	}
}

// TestRequestsSideBySideAreCheckedFirst sends none when one of them cannot be.
func TestRequestsSideBySideAreCheckedFirst(t *testing.T) {
	s := newSeveral(t, 0)
	d, _, _ := open(t, runtime.Config{Allow: egress.Origins(s.URL)}, nil)
	many := make([]abi.HTTPRequest, abi.MaxHTTPAll+1)
	for i := range many {
		many[i] = s.get("/a", 1)
	}
	wants := make([]string, abi.MaxHeaders+1)
	for name, c := range map[string]struct {
		asked []abi.HTTPRequest
		kind  abi.Kind
		says  string
	}{
		"none":              {nil, abi.KindInvalidArgument, "no requests"},
		"too many":          {many, abi.KindInvalidArgument, "17 requests, more than 16"},
		"a body of handles": {[]abi.HTTPRequest{s.get("/a", 1), {Method: http.MethodPut, URL: s.URL + "/a", Body: []abi.Handle{1}}}, abi.KindInvalidArgument, "request 1 has a body of handles"},
		"too much inline":   {[]abi.HTTPRequest{s.get("/a", abi.MaxInline), s.get("/a", 1)}, abi.KindInvalidArgument, "more than 524288 together"},
		"one too long":      {[]abi.HTTPRequest{s.get("/a", abi.MaxInline+1)}, abi.KindInvalidArgument, "request 0: "},
		"too much wanted":   {[]abi.HTTPRequest{s.get("/a", 1), {Method: http.MethodGet, URL: s.URL, Want: wants}}, abi.KindLimit, "request 1: "},
		"a key that is not": {[]abi.HTTPRequest{s.get("/a", 1), {Method: http.MethodGet, URL: s.URL, Signing: abi.Signing{Keyed: []abi.Keyed{{Name: "a", Text: abi.KeyMark, Key: 99, Encoding: "hex"}}}}}, abi.KindInvalidArgument, "request 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			var r abi.HTTPAllReply
			wantRefusal(t, serve(t, d, abi.HostHTTPAll, &abi.HTTPAllRequest{Requests: c.asked}, &r), c.kind, c.says)
		})
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestRequestsSideBySideEndWithTheirCall cancels a call whose requests are never answered.
func TestRequestsSideBySideEndWithTheirCall(t *testing.T) {
	s := newSeveral(t, 3) // of two
	d, _, _ := open(t, runtime.Config{Allow: egress.Origins(s.URL)}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	path := servicePath(t, "call", abi.HostHTTPAll, &abi.HTTPAllRequest{Requests: []abi.HTTPRequest{s.get("/together", 1), s.get("/together", 1)}})
	done := make(chan error, 1)
	go func() {
		_, err := readAll(ctx, d, path, -1)
		done <- err
	}()
	eventually(t, "both requests are there", func() bool { return s.asked.Load() == 2 })
	cancel()
	if err := <-done; storagedriver.KindOf(err) != storagedriver.KindCanceled {
		t.Errorf("got %v, want that it was canceled", err)
	}
	resp, err := http.Get(s.URL + "/together") //nolint:noctx // it lets the others go
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}
