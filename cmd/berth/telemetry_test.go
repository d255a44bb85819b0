package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// collector is an OTLP collector: it keeps what it was sent.
type collector struct {
	mu   sync.Mutex
	sent []byte
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, body...)
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.sent)
}

// configFile returns a configuration of a registry in memory, with more in its section http.
func configFile(t *testing.T, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:0', secret: x" + more + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// environment sets names to values: for the command, and for the exporters, which read the process's.
func environment(t *testing.T, namesAndValues ...string) map[string]string {
	t.Helper()
	env := map[string]string{}
	for i := 0; i < len(namesAndValues); i += 2 {
		t.Setenv(namesAndValues[i], namesAndValues[i+1])
		env[namesAndValues[i]] = namesAndValues[i+1]
	}
	return env
}

// The variables of OpenTelemetry turn tracing on: requests, the gate and the backend are in what is exported.
func TestServeExportsTraces(t *testing.T) {
	var c collector
	server := httptest.NewServer(&c)
	defer server.Close()
	env := environment(t, "OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf",
		"OTEL_SERVICE_NAME", "registry-of-this-test")
	s := serveWith(t, env, configFile(t, ""))
	response, err := http.Post(s.url+"/v2/a/blobs/uploads/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("beginning an upload: %s", response.Status)
	}
	s.end() // which exports what is left
	for _, want := range []string{"registry-of-this-test", "POST /v2/a/blobs/uploads/", "PutContent", "backend.Put", "io.cncf.distribution.storage.path"} {
		if !strings.Contains(c.String(), want) {
			t.Errorf("the collector was told nothing of %q", want)
		}
	}
}

func TestTracesAreOffUnlessAskedFor(t *testing.T) {
	for _, c := range []struct {
		variables string
		want      bool
	}{
		{"", false},
		{"OTEL_SERVICE_NAME=x", false},
		{"OTEL_TRACES_EXPORTER=none", false},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://x", false},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_SDK_DISABLED=true", false},
		{"OTEL_TRACES_EXPORTER=otlp", true},
		{"OTEL_TRACES_EXPORTER=console", true},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://x", true},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x", true},
	} {
		env := map[string]string{}
		for v := range strings.FieldsSeq(c.variables) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if got := tracesWanted(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("with %q traces are wanted: %v, want %v", c.variables, got, c.want)
		}
	}
}

func TestAnUnknownExporterIsAnError(t *testing.T) {
	env := environment(t, "OTEL_TRACES_EXPORTER", "carrier-pigeon")
	newConsole(t, env).wantStatus(t, statusUsage, []string{"serve", configFile(t, "")}, "OTEL_TRACES_EXPORTER", "carrier-pigeon")
}

// The exporter passes over an endpoint that is none, and exports to localhost.
func TestAnEndpointThatIsNoURLIsAnError(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		for _, value := range []string{":::", "collector:4318", "127.0.0.1:4318"} {
			env := environment(t, name, value)
			newConsole(t, env).wantStatus(t, statusUsage, []string{"serve", configFile(t, "")}, name+": must be a URL such as http://collector:4318")
		}
	}
}

// The debug server shows what the storage does, at its gate under distribution's name.
func TestServeShowsTheStoragesMetrics(t *testing.T) {
	const variable = "BERTH_TEST_METRICS_ALONE"
	if os.Getenv(variable) == "" { // distribution's metrics can be registered once a process
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		command.Env = append(os.Environ(), variable+"=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	free := httptest.NewServer(nil)
	debug := free.Listener.Addr().String()
	free.Close()
	s := serve(t, configFile(t, ", debug: {addr: '"+debug+"', prometheus: {enabled: true}}"))
	response, err := http.Post(s.url+"/v2/a/blobs/uploads/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	response, err = http.Get("http://" + debug + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`registry_storage_action_seconds_count{action="PutContent",driver="inmemory"} 1`,
		`berth_backend_calls_total{driver="inmemory",operation="Put"} 1`,
		"registry_storage_cache_requests_total",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	s.end()
}
