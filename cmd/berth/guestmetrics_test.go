package main

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berth-dev/storagedriver/abi"
)

// exerciseWasm builds the guest of the runtime's tests.
func exerciseWasm(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "exercise.wasm")
	command := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-o", out, "../../runtime/testdata/exercise")
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

func TestMetricsOfGuestsArePrometheuss(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	shown := prometheus.NewRegistry()
	metrics, err := registerGuestMetrics(shown)
	if err != nil {
		t.Fatal(err)
	}
	drivers := newConsole(t, nil).app.compose()
	drivers.guestMetric = metrics.tell
	backend, err := drivers.openWasm(exerciseWasm(t))(t.Context(), map[string]any{
		"allow": []any{server.URL}, "parameters": map[string]any{"endpoint": server.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, m := range []abi.MetricRequest{
		{Name: "retries", Type: "counter", Value: 2}, {Name: "retries", Type: "counter", Value: 3},
		{Name: "depth", Type: "gauge", Value: 9}, {Name: "depth", Type: "gauge", Value: -4},
	} {
		message, err := abi.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("/services/call/%d/%s", abi.HostMetric, hex.EncodeToString(message))
		r, _, err := backend.Read(t.Context(), path, 0, -1) // the guest runs the operation
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	families, err := shown.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{"berth_guest_counter_total driver=exercise name=retries": 5, "berth_guest_gauge driver=exercise name=depth": -4}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
