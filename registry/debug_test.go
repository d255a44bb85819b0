package registry_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/metrics"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/prometheus/client_golang/prometheus"
)

// onlyDebug marks the process of its own that distribution's metrics need: they can be
// registered once.
const onlyDebug = "BERTH_TEST_DEBUG_ALONE"

// alone runs this test again in a process where variable is set.
func alone(t *testing.T, variable string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	command.Env = append(os.Environ(), variable+"=1")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestDebugServerShowsHealthAndMetrics(t *testing.T) {
	if os.Getenv(onlyDebug) == "" {
		alone(t, onlyDebug)
		return
	}
	shown := prometheus.NewRegistry()
	measured, err := metrics.Register(shown)
	if err != nil {
		t.Fatal(err)
	}
	store := &watched{StorageDriver: layers.Complete(metrics.New(inmemory.New(), measured), layers.WithTrace(measured.Trace))}
	config := testConfig()
	config.Storage["cache"] = configuration.Parameters{"blobdescriptor": "inmemory"}
	config.HTTP.Debug.Addr = freeAddress(t)
	config.HTTP.Debug.Prometheus.Enabled = true
	config.Health.StorageDriver.Enabled = true
	config.Health.StorageDriver.Interval = 5 * time.Millisecond
	s := serve(t, registry.Options{Config: config, Driver: store, Metrics: shown})
	debug := "http://" + config.HTTP.Debug.Addr
	s.do(http.MethodGet, debug+"/debug/health", nil, nil, http.StatusOK)
	s.pull("a", s.push("a", pattern(10)))
	text := string(s.do(http.MethodGet, debug+"/metrics", nil, nil, http.StatusOK).body)
	for _, want := range []string{
		`registry_storage_action_seconds_count{action="PutContent",driver="inmemory"}`,
		`berth_backend_calls_total{driver="inmemory",operation="Put"}`, `berth_backend_call_seconds_bucket{driver="inmemory"`,
		"registry_storage_cache_requests_total", "registry_storage_cache_hits_total", "registry_storage_cache_errors_total",
		"registry_http_requests_total", "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	store.broken.Store(true)
	eventually(t, "the check fails", func() bool {
		a := s.do(http.MethodGet, debug+"/debug/health", nil, nil, http.StatusOK, http.StatusServiceUnavailable)
		return a.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(a.body), "storagedriver_filesystem")
	})
	s.do(http.MethodGet, "/v2/", nil, nil, http.StatusServiceUnavailable)
	store.broken.Store(false)
	eventually(t, "the check passes again", func() bool {
		return s.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK, http.StatusServiceUnavailable).StatusCode == http.StatusOK
	})
	s.stop()
	if err := s.result(); err != nil {
		t.Error(err)
	}

	// distribution's metrics can be registered once a process.
	err = registry.Serve(t.Context(), registry.Options{Config: config, Driver: store})
	expectOneLine(t, err, "http.debug.prometheus")
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(nil)
	defer s.Close()
	return s.Listener.Addr().String()
}
