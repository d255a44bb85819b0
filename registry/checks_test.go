package registry_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver/registry"
)

// checked runs a registry with a health section and its debug server.
func checked(t *testing.T, section string) (s *served, debug string) {
	t.Helper()
	address := freeAddress(t)
	config := parse(t, "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: inmemory\n"+
		"http: {addr: '127.0.0.1:0', secret: s, debug: {addr: '"+address+"'}}\nhealth: "+section+"\n")
	s = serve(t, registry.Options{Config: config, Driver: newStore(t)})
	t.Cleanup(func() {
		s.stop()
		if err := s.result(); err != nil {
			t.Error(err)
		}
		closeDefaultTransport(t)
	})
	return s, "http://" + address
}

// expectHealth waits until the registry is well, or ill with the check named in what it says.
func expectHealth(t *testing.T, s *served, debug, failing string) {
	t.Helper()
	status := http.StatusOK
	if failing != "" {
		status = http.StatusServiceUnavailable
	}
	eventually(t, "health: "+failing, func() bool {
		a := s.do(http.MethodGet, debug+"/debug/health", nil, nil, http.StatusOK, http.StatusServiceUnavailable)
		var checks map[string]string
		if err := json.Unmarshal(a.body, &checks); err != nil {
			t.Fatalf("%s: %v", a.body, err)
		}
		_, ill := checks[failing]
		return a.StatusCode == status && ill == (failing != "")
	})
	for _, path := range []string{"/", "/v2/"} {
		a := s.do(http.MethodGet, path, nil, nil, status)
		if failing != "" && !strings.Contains(string(a.body), "UNAVAILABLE") {
			t.Errorf("%s: got %s", path, a.body)
		}
	}
}

func TestFileTakesTheRegistryOutOfRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out-of-rotation")
	s, debug := checked(t, "{file: [{file: "+file+", interval: 5ms}]}")
	expectHealth(t, s, debug, "")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectHealth(t, s, debug, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expectHealth(t, s, debug, "")
}

func TestHTTPServerThatIsIllMakesTheRegistryIll(t *testing.T) {
	var status, asked atomic.Int64
	status.Store(http.StatusAccepted)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodHead || r.Header.Get("X-Key") != "sesame" {
			t.Errorf("got %s with X-Key %q", r.Method, r.Header.Get("X-Key"))
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	uri := server.URL + "/up"
	s, debug := checked(t, "{http: [{uri: '"+uri+"', headers: {X-Key: [sesame]}, statuscode: 202, timeout: 1s, interval: 5ms, threshold: 3}]}")
	eventually(t, "the server is asked", func() bool { return asked.Load() > 0 })
	expectHealth(t, s, debug, "")
	before := asked.Load()
	status.Store(http.StatusOK) // another than 202
	expectHealth(t, s, debug, uri)
	if n := asked.Load() - before; n < 3 {
		t.Errorf("ill after %d checks, want the threshold of 3", n)
	}
	status.Store(http.StatusAccepted)
	expectHealth(t, s, debug, "")
}

func TestTCPServerThatIsAwayMakesTheRegistryIll(t *testing.T) {
	address := freeAddress(t)
	s, debug := checked(t, "{tcp: [{addr: '"+address+"', timeout: 1s, interval: 5ms, threshold: 2}]}")
	expectHealth(t, s, debug, address)
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	defer ln.Close()
	expectHealth(t, s, debug, "")
}
