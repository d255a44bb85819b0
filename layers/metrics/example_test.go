package metrics_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// The layer measures the backend, the trace the gate. Any number of drivers share them.
func Example() {
	ctx := context.Background()
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	m, err := metrics.Register(registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := layers.Complete(metrics.New(inmemory.New(), m), layers.WithTrace(m.Trace))
	defer d.Close()
	if err := d.PutContent(ctx, "/a", []byte("12345")); err != nil {
		fmt.Println(err)
		return
	}
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		fmt.Println(f.GetName())
	}
	// Output:
	// berth_backend_call_seconds
	// berth_backend_calls_total
	// berth_backend_in_flight
	// berth_backend_written_bytes_total
	// registry_storage_action_seconds
}
