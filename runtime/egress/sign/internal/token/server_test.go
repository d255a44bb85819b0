package token

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func ask(t *testing.T, h http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	req, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewServer("the server", server.Client()).RoundTrip(req)
}

func TestAnswerIsBounded(t *testing.T) {
	resp, err := ask(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("a", 1<<20)) })
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 1<<20 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	_, err = ask(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 14 {
			if _, err := io.WriteString(w, strings.Repeat("a", 1<<10)); err != nil {
				return
			}
		}
	})
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "the server answered with more than 1 MiB") {
		t.Errorf("%v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	resp, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect || asked != 1 {
		t.Fatalf("%v, %v, asked %d times", resp, err, asked)
	}
	err = NewServer("the server", nil).Status(resp)
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("%v", err)
	}
}

func TestAnswerThatBreaksOff(t *testing.T) {
	_, err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "a")
	})
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "the server cannot be reached") {
		t.Errorf("%v", err)
	}
}

// failing is a Doer that fails.
type failing struct{ err error }

func (f failing) Do(*http.Request) (*http.Response, error) { return nil, f.err }

func TestFailures(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx       context.Context
		err       error
		kind      storagedriver.Kind
		temporary bool
	}{
		{context.Background(), fmt.Errorf("connection refused"), storagedriver.KindUnavailable, true},
		{context.Background(), storagedriver.NewError(storagedriver.KindDenied, "no"), storagedriver.KindDenied, false},
		{canceled, fmt.Errorf("connection refused"), storagedriver.KindCanceled, false},
	} {
		req, _ := http.NewRequestWithContext(c.ctx, "GET", "http://127.0.0.1/", nil)
		_, err := NewServer("the server", failing{c.err}).RoundTrip(req)
		if storagedriver.KindOf(err) != c.kind || storagedriver.IsTemporary(err) != c.temporary {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		kind       storagedriver.Kind
		temporary  bool
		after      time.Duration
	}{
		{401, "", storagedriver.KindPermission, false, 0},
		{403, "", storagedriver.KindPermission, false, 0},
		{400, "", storagedriver.KindUnavailable, false, 0},
		{404, "", storagedriver.KindUnavailable, false, 0},
		{302, "", storagedriver.KindUnavailable, false, 0},
		{408, "", storagedriver.KindUnavailable, true, 0},
		{429, "30", storagedriver.KindUnavailable, true, 30 * time.Second},
		{503, "Wed, 21 Oct 2015 07:28:00 GMT", storagedriver.KindUnavailable, true, 0},
		{500, "-1", storagedriver.KindUnavailable, true, 0},
	} {
		err := NewServer("the server", nil).Status(&http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.retryAfter}}})
		classified, ok := err.(*storagedriver.Error)
		if !ok || classified.Kind != c.kind || classified.Temporary != c.temporary || classified.RetryAfter != c.after || !strings.Contains(err.Error(), fmt.Sprint(c.status)) {
			t.Errorf("%d: %#v", c.status, err)
		}
	}
}
