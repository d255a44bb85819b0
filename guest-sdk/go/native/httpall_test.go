package native_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// gathering is a server that answers none before so many requests are there; all is closed then, and asked counts them.
type gathering struct {
	*httptest.Server
	asked atomic.Int32
	all   chan struct{}
}

func newGathering(t *testing.T, count int32) *gathering {
	g := &gathering{all: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.asked.Add(1) == count {
			close(g.all)
		}
		select {
		case <-g.all:
			fmt.Fprint(w, r.URL.Path)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func TestSeveralRequestsRunSideBySide(t *testing.T) {
	server := newGathering(t, berth.MaxHTTPAll)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, c := host(t, ctx)
	var requests []*berth.Request
	for i := range berth.MaxHTTPAll {
		requests = append(requests, &berth.Request{Method: "GET", URL: fmt.Sprint(server.URL, "/", i), Max: berth.MaxInline / berth.MaxHTTPAll, Want: []string{}})
	}
	all, err := c.HTTPAll(requests...)
	if err != nil || len(all) != len(requests) {
		t.Fatalf("got %d answers, %v, want %d", len(all), err, len(requests))
	}
	for i, x := range all {
		if want := fmt.Sprint("/", i); x.Err != nil || x.Status != 200 || string(x.Data) != want || x.Length != int64(len(want)) || x.Headers != nil || x.Body != nil {
			t.Errorf("answer %d is %+v, want 200 and %q", i, x, want)
		}
	}
}

// TestSeveralRequestsFailAlone has each of several come to an end of its own.
func TestSeveralRequestsFailAlone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Signed", r.Header.Get("X-Signed"))
		switch r.URL.Path {
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/chunked":
			_ = http.NewResponseController(w).Flush()
			fmt.Fprint(w, "0123456789")
		default:
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Length", fmt.Sprint(5+len(body)))
			w.Write(append([]byte("long "), body...))
		}
	}))
	t.Cleanup(server.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, c := lent(t, native.Config{
		Credential: func(_ context.Context, r *http.Request, name string, _ []byte) error {
			if name != "storage" {
				return berth.NewError(berth.KindDenied, "no such credential")
			}
			r.Header.Set("X-Signed", name)
			return nil
		},
		Secrets: map[string]string{"seed": "key"},
	})
	key, err := c.HMAC("seed", berth.SHA1, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		asked *berth.Request
		want  string
	}{
		{&berth.Request{Method: "POST", URL: server.URL, Data: []byte("body"), Max: 9}, "200  9 long body"},
		{&berth.Request{Method: "POST", URL: server.URL, Data: []byte("body"), Max: 8}, "limit reached: http_all: the answer has more than 8 bytes"},
		{&berth.Request{Method: "HEAD", URL: server.URL}, "200  5 "},
		{&berth.Request{Method: "GET", URL: server.URL + "/none"}, "204  0 "},
		{&berth.Request{Method: "GET", URL: server.URL + "/chunked", Max: 10}, "200  10 0123456789"},
		{&berth.Request{Method: "GET", URL: server.URL + "/chunked", Max: 9}, "limit reached: http_all: the answer has more than 9 bytes"},
		{&berth.Request{Method: "GET", URL: server.URL + "/none", Credential: "storage"}, "204 storage 0 "},
		{&berth.Request{Method: "GET", URL: server.URL, Credential: "other"}, "denied by policy: no such credential"},
		{&berth.Request{Method: "GET", URL: server.URL, Max: 5, Keyed: []berth.Keyed{{Name: "x-signed", Text: "v {key}", Key: key, Encoding: berth.Hex}}},
			"200 v 2a00e8e8343df86c4c188b263eeca331afa31548 5 long "},
		{&berth.Request{Method: "G ET", URL: server.URL}, "invalid argument: a request cannot be made"},
		{&berth.Request{Method: "GET", URL: gone.URL}, "unavailable: "},
	}
	var requests []*berth.Request
	for i := range cases {
		requests = append(requests, cases[i].asked)
	}
	all, err := c.HTTPAll(requests...)
	if err != nil || len(all) != len(cases) {
		t.Fatalf("got %d answers, %v, want %d", len(all), err, len(cases))
	}
	for i, x := range all {
		got := fmt.Sprintf("%d %s %d %s", x.Status, x.Header("x-signed"), x.Length, x.Data)
		if x.Err != nil {
			got = x.Err.Error()
		}
		if want := cases[i].want; got != want && (x.Err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("answer %d: got %q, want %q", i, got, want)
		}
	}
	if !berth.IsTemporary(all[len(all)-1].Err) {
		t.Errorf("an origin that is not there: %v, want something temporary", all[len(all)-1].Err)
	}
}

// TestSeveralRequestsAreCheckedFirst sends none when one of them cannot be.
func TestSeveralRequestsAreCheckedFirst(t *testing.T) {
	server := newGathering(t, 1)
	h, c := host(t, context.Background())
	get := func(limit int) *berth.Request { return &berth.Request{Method: "GET", URL: server.URL, Max: limit} }
	many := make([]*berth.Request, berth.MaxHTTPAll+1)
	for i := range many {
		many[i] = get(1)
	}
	for name, asked := range map[string]struct {
		requests []*berth.Request
		kind     berth.Kind
		says     string
	}{
		"none":            {nil, berth.KindInvalidArgument, "takes 1 to 16 requests, not 0"},
		"too many":        {many, berth.KindInvalidArgument, "not 17"},
		"a Body":          {[]*berth.Request{get(1), {Method: "PUT", Body: []*berth.Stream{stream(h, "x")}}}, berth.KindInvalidArgument, "request 1 has a Body"},
		"too much inline": {[]*berth.Request{get(berth.MaxInline), get(1)}, berth.KindInvalidArgument, "at most 524288"},
		"one too long":    {[]*berth.Request{get(berth.MaxInline + 1)}, berth.KindInvalidArgument, "at most 524288"},
		"less than none":  {[]*berth.Request{get(-1), get(1)}, berth.KindInvalidArgument, "at least 0"},
		"too much wanted": {[]*berth.Request{get(1), {Method: "GET", Want: make([]string, berth.MaxHeaders+1)}}, berth.KindLimit, "request 1 wants more than 64"},
		"a key that is none": {[]*berth.Request{get(1), {Method: "GET", Keyed: []berth.Keyed{{Name: "a", Text: berth.KeyMark, Encoding: berth.Hex}}}},
			berth.KindInvalidArgument, "a key of another host, or none"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := c.HTTPAll(asked.requests...)
			if wantKind(t, err, asked.kind, asked.says); all != nil {
				t.Errorf("got the answers %+v", all)
			}
		})
	}
	if n := server.asked.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestSeveralRequestsEndWithTheirCall cancels a call when both its requests are there, one of which would never be answered.
func TestSeveralRequestsEndWithTheirCall(t *testing.T) {
	there := newGathering(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-there.all
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	_, c := host(t, ctx)
	all, err := c.HTTPAll(&berth.Request{Method: "GET", URL: there.URL, Max: 1}, &berth.Request{Method: "GET", URL: hanging.URL, Max: 1})
	if wantKind(t, err, berth.KindCanceled, "canceled"); all != nil {
		t.Errorf("got the answers %+v", all)
	}
}
