package native_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// pieces is a source that counts how many of its readers are open.
type pieces struct {
	content string
	open    *int
	most    *int
}

func (p pieces) Size() int64 { return int64(len(p.content)) }

func (p pieces) Open(context.Context) (io.ReadCloser, error) {
	*p.open++
	*p.most = max(*p.most, *p.open)
	return &piece{Reader: strings.NewReader(p.content), open: p.open}, nil
}

type piece struct {
	io.Reader
	open *int
}

func (p *piece) Close() error { *p.open--; return nil }

func echo(t *testing.T) *httptest.Server {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/hang":
			<-r.Context().Done()
		default:
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Length", r.Header.Get("Content-Length"))
			w.Header().Set("X-Kind", r.Method)
			w.Write(b)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func host(t *testing.T, ctx context.Context) (*native.Host, *berth.Call) {
	client := native.NewClient()
	h := native.NewHost(ctx, client, nil)
	t.Cleanup(func() { h.Close(); client.CloseIdleConnections() })
	return h, berth.NewCall(h)
}

func TestABodyIsTheStreamsInOrderEachOpenedWhenReached(t *testing.T) {
	server := echo(t)
	h, c := host(t, context.Background())
	var open, most int
	var body []*berth.Stream
	for _, s := range []string{"one ", "", "two ", "three"} {
		body = append(body, h.Source(pieces{s, &open, &most}))
	}
	resp, err := c.HTTP(&berth.Request{Method: "PUT", URL: server.URL, Body: body, Max: 100, Want: []string{"x-kind"}})
	if err != nil || string(resp.Data) != "one two three" || resp.Header("x-kind") != "PUT" || len(resp.Headers) != 2 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if open != 0 || most != 1 {
		t.Fatalf("%d sources are open and %d were at once, want 0 and 1", open, most)
	}
}

func TestALongBodyIsAStreamThatCanLeaveTheCall(t *testing.T) {
	server := echo(t)
	h, c := host(t, context.Background())
	sent := bytes.Repeat([]byte("x"), 100_000)
	resp, err := c.HTTP(&berth.Request{Method: "POST", URL: server.URL, Data: sent, Max: 10})
	if err != nil || resp.Body == nil {
		t.Fatalf("got %+v, %v", resp, err)
	}
	r, err := h.Detach(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("after the call %d bytes came: %v", len(got), err)
	}
	r.Close()
}

func TestTheConnectionOfAnUnreadBodyIsUsedAgain(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Created", http.StatusCreated)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	_, c := host(t, context.Background())
	for range 5 {
		resp, err := c.HTTP(&berth.Request{Method: "PUT", URL: server.URL})
		if err != nil || resp.Status != http.StatusCreated || resp.Body == nil {
			t.Fatalf("got %+v, %v", resp, err)
		}
		resp.Close()
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("5 requests took %d connections, want 1", n)
	}
}

func TestASinkIsARequestBody(t *testing.T) {
	server := echo(t)
	h, c := host(t, context.Background())
	var open, most int
	sink, err := c.Begin(&berth.Request{Method: "PUT", URL: server.URL}, -1)
	if err != nil {
		t.Fatal(err)
	}
	sink.Write([]byte("a"))
	if n, err := sink.Splice(h.Source(pieces{"bcdef", &open, &most}), 3); n != 3 || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	if n, err := sink.Splice(h.Source(pieces{"xyz", &open, &most}), -1); n != 3 || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	resp, err := sink.Finish(100, nil)
	if err != nil || string(resp.Data) != "abcdxyz" {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if dropped, err := c.Begin(&berth.Request{Method: "PUT", URL: server.URL}, 100); err != nil || dropped.Close() != nil {
		t.Fatalf("dropping a sink: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	_, c := host(t, context.Background())
	resp, err := c.HTTP(&berth.Request{Method: "GET", URL: echo(t).URL + "/redirect"})
	if err != nil || resp.Status != http.StatusFound || resp.Header("location") != "/" {
		t.Fatalf("got %+v, %v", resp, err)
	}
	resp.Close()
}

func TestFailuresAreClassified(t *testing.T) {
	server := echo(t)
	ctx, cancel := context.WithCancel(context.Background())
	_, c := host(t, ctx)
	cancel()
	if _, err := c.HTTP(&berth.Request{Method: "GET", URL: server.URL + "/hang"}); berth.KindOf(err) != berth.KindCanceled {
		t.Fatalf("cancelled: %v", err)
	}
	if err := c.Sleep(time.Hour); berth.KindOf(err) != berth.KindCanceled {
		t.Fatalf("sleeping when cancelled: %v", err)
	}
	url := server.URL
	server.Close()
	_, c = host(t, context.Background())
	if _, err := c.HTTP(&berth.Request{Method: "GET", URL: url}); berth.KindOf(err) != berth.KindUnavailable || !berth.IsTemporary(err) {
		t.Fatalf("unreachable: %v", err)
	}
	var e *berth.Error
	if _, err := c.HTTP(&berth.Request{Method: "G ET", URL: url}); !errors.As(err, &e) || e.Kind != berth.KindInvalidArgument {
		t.Fatalf("malformed: %v", err)
	}
}

func TestReceiptsAreATable(t *testing.T) {
	table := native.NewReceipts()
	r := berth.NewReceipts(table)
	for n := 700; n > 0; n-- {
		if err := r.Set([]berth.Receipt{{Number: n, Size: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	r.Set([]berth.Receipt{{Number: 3, Size: 9}})
	next := 1
	err := r.All(func(got berth.Receipt) error {
		if got.Number != next || got.Number == 3 && got.Size != 9 {
			t.Fatalf("got %+v, want number %d", got, next)
		}
		next++
		return nil
	})
	if err != nil || next != 701 {
		t.Fatalf("stopped before %d: %v", next, err)
	}
}
