package objects_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

func mustTransport(t *testing.T, o objects.TransportOptions) *http.Client {
	t.Helper()
	transport, err := objects.Transport(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(client *http.Client, url string) (status int, body []byte, proto string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, response.Proto, err
}

func TestATransportTrustsItsCAFile(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") }))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]objects.TransportOptions{"CAFile": {CAFile: file}, "SkipVerify": {SkipVerify: true}} {
		_, body, proto, err := get(mustTransport(t, o), server.URL)
		if err != nil || string(body) != "ok" || proto != "HTTP/1.1" {
			t.Errorf("%s: want ok over HTTP/1.1, got %q over %s, error %v", name, body, proto, err)
		}
	}
	if _, _, _, err := get(mustTransport(t, objects.TransportOptions{}), server.URL); err == nil {
		t.Error("a certificate that nobody vouches for is accepted")
	}
}

func TestACAFileThatIsNone(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := objects.Transport(objects.TransportOptions{CAFile: empty})
	wantKind(t, err, storagedriver.KindInvalidArgument, false, empty+" has no certificate in PEM")
	_, err = objects.Transport(objects.TransportOptions{CAFile: empty + ".not"})
	wantKind(t, err, storagedriver.KindInvalidArgument, false, "the CA file cannot be read: open "+empty+".not: ")
}

// TestConnectionsAreKept makes two bursts of requests that wait for one another. The second needs no new connection.
func TestConnectionsAreKept(t *testing.T) {
	const connections = 10
	var barrier atomic.Pointer[sync.WaitGroup]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		barrier.Load().Done()
		barrier.Load().Wait()
	}))
	defer server.Close()
	var dials atomic.Int64
	client := mustTransport(t, objects.TransportOptions{Connections: connections, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	for range 2 {
		var together, requests sync.WaitGroup
		together.Add(connections)
		barrier.Store(&together)
		for range connections {
			requests.Go(func() {
				if status, _, _, err := get(client, server.URL); status != 200 || err != nil {
					t.Errorf("want 200, got %d, error %v", status, err)
				}
			})
		}
		requests.Wait()
	}
	if n := dials.Load(); n != connections {
		t.Errorf("want %d connections for two bursts of %d requests, got %d", connections, connections, n)
	}
}

func TestBodiesComeAsTheyAre(t *testing.T) {
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	_, _ = io.WriteString(z, "content")
	_ = z.Close()
	var asked atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(compressed.Bytes())
	}))
	defer server.Close()
	_, body, _, err := get(mustTransport(t, objects.TransportOptions{}), server.URL)
	if err != nil || !bytes.Equal(body, compressed.Bytes()) || asked.Load() != "" {
		t.Errorf("want the bytes of the object and no Accept-Encoding, got %q, %q, error %v", body, asked.Load(), err)
	}
}

func TestAnAnswerMustBegin(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	_, _, _, err := get(mustTransport(t, objects.TransportOptions{HeaderTimeout: 10 * time.Millisecond}), server.URL)
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("want a timeout, got %v", err)
	}
}

// TestTheEnvironmentsProxyIsUsed reads the field: net/http looks at the environment once in a process, and spares loopback.
func TestTheEnvironmentsProxyIsUsed(t *testing.T) {
	transport, err := objects.Transport(objects.TransportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%p", transport.Proxy), fmt.Sprintf("%p", http.ProxyFromEnvironment); got != want {
		t.Errorf("want http.ProxyFromEnvironment, got another function")
	}
}
