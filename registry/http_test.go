package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/registry"
)

func TestPrefixIsHonoured(t *testing.T) {
	c := newClient(t, newStore(t), parse(t, start[:len(start)-len("http: {secret: s}\n")]+"storage: inmemory\nhttp: {secret: s, prefix: /my/nested/registry/}\n"))
	c.do(http.MethodGet, "/v2/", nil, nil, http.StatusNotFound)
	c.do(http.MethodGet, "/my/nested/registry/v2/", nil, nil, http.StatusOK)
	a := c.do(http.MethodPost, "/my/nested/registry/v2/a/blobs/uploads/", nil, nil, http.StatusAccepted)
	if got := a.Header.Get("Location"); !strings.Contains(got, "/my/nested/registry/v2/a/blobs/uploads/") {
		t.Errorf("Location: got %q", got)
	}
}

func TestURLsAreMadeAsConfigured(t *testing.T) {
	for section, want := range map[string]string{
		"":                      "BASE/v2/a/blobs/uploads/",
		", relativeurls: true":  "/v2/a/blobs/uploads/",
		", relativeurls: false": "BASE/v2/a/blobs/uploads/",
		", host: 'https://registry.example.com:5443'":                     "https://registry.example.com:5443/v2/a/blobs/uploads/",
		", host: 'https://registry.example.com:5443', relativeurls: true": "https://registry.example.com:5443/v2/a/blobs/uploads/",
	} {
		c := newClient(t, newStore(t), parse(t, "version: 0.1\nlog: {level: error}\nstorage: inmemory\nhttp: {secret: s"+section+"}\n"))
		a := c.do(http.MethodPost, "/v2/a/blobs/uploads/", nil, nil, http.StatusAccepted)
		want = strings.Replace(want, "BASE", c.base, 1)
		if got := a.Header.Get("Location"); !strings.HasPrefix(got, want) {
			t.Errorf("%q: Location: got %q, want %q", section, got, want)
		}
	}
}

func TestHeadersAreSent(t *testing.T) {
	c := newClient(t, newStore(t), parse(t, "version: 0.1\nlog: {level: error}\nstorage: inmemory\nhttp: {secret: s, headers: {X-Content-Type-Options: [nosniff], X-Two: [a, b]}}\n"))
	h := c.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK).Header
	if h.Get("X-Content-Type-Options") != "nosniff" || strings.Join(h["X-Two"], ",") != "a,b" {
		t.Errorf("got %v", h)
	}
}

// speaking serves with an http section and returns a client of it.
func speaking(t *testing.T, section string) *served {
	t.Helper()
	config := parse(t, "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: inmemory\nhttp: {secret: s, "+section+"}\n")
	s := serve(t, registry.Options{Config: config, Driver: newStore(t)})
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		s.stop()
		if err := s.result(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestHTTP2WithoutTLSIsSpokenWhenEnabled(t *testing.T) {
	for section, want := range map[string]int{"addr: '127.0.0.1:0', h2c: {enabled: true}": 2, "addr: '127.0.0.1:0', h2c: {enabled: true}, http2: {disabled: true}": 2} {
		s := speaking(t, section)
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		s.http.Transport = &http.Transport{Protocols: &protocols}
		content := pattern(100_000)
		if got := s.pull("a", s.push("a", content)); !bytes.Equal(got, content) {
			t.Error("the content is another")
		}
		if a := s.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK); a.ProtoMajor != want {
			t.Errorf("%s: got %s, want HTTP/%d", section, a.Proto, want)
		}
		s.http.CloseIdleConnections()
		s.http.Transport = &http.Transport{}
		if a := s.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK); a.ProtoMajor != 1 {
			t.Errorf("%s: got %s, want HTTP/1.1 for those who speak that", section, a.Proto)
		}
	}
	s := speaking(t, "addr: '127.0.0.1:0'")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	if response, err := transport.RoundTrip(r); err == nil {
		response.Body.Close()
		t.Errorf("without h2c: got %s, want a refusal", response.Proto)
	}
}

func TestUnixSocketIsListenedOn(t *testing.T) {
	dir, err := os.MkdirTemp("", "berth") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	s := speaking(t, "net: unix, addr: "+socket)
	s.base = "http://registry"
	s.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	content := pattern(1000)
	if got := s.pull("a", s.push("a", content)); !bytes.Equal(got, content) {
		t.Error("the content is another")
	}
}

func TestMetricsAreServedWhereConfigured(t *testing.T) {
	const variable = "BERTH_TEST_METRICS_PATH_ALONE"
	if os.Getenv(variable) == "" {
		alone(t, variable)
		return
	}
	debug := freeAddress(t)
	s := speaking(t, "addr: '127.0.0.1:0', debug: {addr: '"+debug+"', prometheus: {enabled: true, path: /numbers}}")
	s.push("a", pattern(10))
	body := string(s.do(http.MethodGet, "http://"+debug+"/numbers", nil, nil, http.StatusOK).body)
	if !strings.Contains(body, "registry_http_requests_total") {
		t.Errorf("got %.500s", body)
	}
	s.do(http.MethodGet, "http://"+debug+"/metrics", nil, nil, http.StatusNotFound)
	// It would print the configuration, with its secrets.
	s.do(http.MethodGet, "http://"+debug+"/debug/vars", nil, nil, http.StatusNotFound)
	s.do(http.MethodGet, "http://"+debug+"/debug/pprof/cmdline", nil, nil, http.StatusOK)
}

func TestLogIsAsConfigured(t *testing.T) {
	log := captureLog(t)
	var access lockedBuffer
	run := func(section string) []string {
		before := len(log.String())
		config := parse(t, "version: 0.1\nstorage: inmemory\nhttp: {addr: '127.0.0.1:0', secret: s}\n"+section)
		s := serve(t, registry.Options{Config: config, Driver: newStore(t), AccessLog: &access})
		s.push("a", pattern(10))
		s.stop()
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(log.String()[before:]), "\n")
	}
	for _, line := range run("log: {formatter: json, level: INFO, fields: {service: registry, environment: test}, reportcaller: true}\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || v["service"] != "registry" || v["environment"] != "test" || v["func"] == nil {
			t.Fatalf("want JSON with the fields and the caller, got %s (%v)", line, err)
		}
	}
	for _, line := range run("log: {formatter: logstash, reportcaller: true}\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || v["function"] == nil {
			t.Fatalf("want JSON with the caller as function, got %s (%v)", line, err)
		}
	}
	if lines := run("log: {formatter: text, level: error}\n"); len(lines) != 1 || lines[0] != "" {
		t.Errorf("at level error: got %q", lines)
	}
	if lines := run("loglevel: error\n"); len(lines) != 1 || lines[0] != "" {
		t.Errorf("at loglevel error: got %q", lines)
	}
	if !strings.Contains(access.String(), "POST /v2/a/blobs/uploads/") {
		t.Errorf("access log: got %q", access.String())
	}
	logged := len(access.String())
	run("log: {level: error, accesslog: {disabled: true}}\n")
	if more := access.String()[logged:]; more != "" {
		t.Errorf("the disabled access log: got %q", more)
	}
}

// TestLogHoldsNoSecret has distribution log its endpoints, whose URL and headers hold secrets, and one fail.
func TestLogHoldsNoSecret(t *testing.T) {
	log := captureLog(t)
	l := newListener(t, 1)
	address := strings.Replace(l.URL, "http://", "http://user:sesame-url@", 1)
	config := parse(t, "version: 0.1\nstorage: inmemory\nlog: {level: debug, accesslog: {disabled: true}}\nhttp: {addr: '127.0.0.1:0', secret: sesame-http}\n"+
		"notifications: {endpoints: [{name: l, url: '"+address+"/x', timeout: 5s, threshold: 1, backoff: 10ms, headers: {Authorization: [Bearer sesame-header], X-Plain: [plainly]}}]}\n")
	s := serve(t, registry.Options{Config: config, Driver: newStore(t)})
	s.push("a", pattern(10))
	l.expect(t, "push a "+octets) // after one failure
	s.stop()
	if err := s.result(); err != nil {
		t.Error(err)
	}
	text := log.String()
	if strings.Contains(text, "sesame") {
		t.Errorf("there is a secret in\n%s", text)
	}
	if !strings.Contains(text, "configuring endpoint") || !strings.Contains(text, "http://user:***@") || !strings.Contains(text, "plainly") || !strings.Contains(text, "***") {
		t.Errorf("want the endpoint logged, got\n%s", text)
	}
}
