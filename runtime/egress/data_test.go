package egress

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// countingConn counts the writes to a connection.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestDataArrivesWhole sends bodies in memory; a small one goes out with its headers.
func TestDataArrivesWhole(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			t.Errorf("no Content-Length")
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer s.Close()
	var writes atomic.Int64
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{conn, &writes}, err
	}
	c := newClient(t, dial, time.Minute, s.URL)
	for _, n := range []int{1, 300, inMemory, inMemory + 1, 500_000} {
		want := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		writes.Store(0)
		resp, err := c.Do(t.Context(), &Request{Method: "PROPFIND", URL: s.URL, Data: want})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came back, %v, %v", n, len(got), err, cerr)
		}
		if w := writes.Load(); n <= inMemory && w != 1 {
			t.Errorf("%d bytes took %d writes, not one", n, w)
		}
	}
}
