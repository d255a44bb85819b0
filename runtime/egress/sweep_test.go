package egress

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleConnectionsAreSweptOnceIn90Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		s := sweep{close: func() { closed.Add(1) }}
		want := func(after time.Duration, n int32) {
			t.Helper()
			<-time.After(after) // of the bubble's clock
			synctest.Wait()
			if got := closed.Load(); got != n {
				t.Fatalf("swept %d times, want %d", got, n)
			}
		}
		s.start()
		want(80*time.Second, 0)
		s.start() // does not put it off
		want(11*time.Second, 1)
		want(time.Hour, 1) // nothing was opened since
		s.start()
		want(91*time.Second, 2)
		s.start()
		s.stop()
		want(time.Hour, 2)
		s.start()
		want(time.Hour, 2)
	})
}

// TestAConnectionDoesNotOutliveItsClient ends a request when Close has come and gone.
func TestAConnectionDoesNotOutliveItsClient(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(gone)
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(t, nil, time.Minute, s.URL)
	resp, err := c.Do(t.Context(), &Request{Method: http.MethodGet, URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	c.closed.Store(true) // without closing what is idle, which the connection is not yet
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection is still open")
	}
}
