package registry

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// DefaultDrainTimeout is how long requests may take to finish after a stop when
// http.draintimeout is not set: a layer of 3 GB at 100 MB/s. What is unfinished then is
// suspended, not lost.
const DefaultDrainTimeout = 30 * time.Second

// DefaultAddr is where the registry listens when http.addr is not set.
const DefaultAddr = ":5000"

// Drivers opens storage drivers by name. *factory.Registry is one.
type Drivers interface {
	// Create opens the driver called name. The caller closes it.
	Create(ctx context.Context, name string, parameters map[string]any) (storagedriver.StorageDriver, error)
}

// Options are what Serve needs.
type Options struct {
	// Config is the configuration. It is not changed.
	Config *Config
	// Driver is the storage. When it is nil Serve opens what Config.Storage names through
	// Drivers, and closes it; a Driver given here is closed by the caller, after Serve has returned.
	Driver storagedriver.StorageDriver
	// Drivers opens what Config.Storage names. It is unused when Driver is set.
	Drivers Drivers
	// Logger receives what this package has to say; nil sends it where distribution's own
	// log goes, which Config.Log governs.
	Logger *slog.Logger
	// AccessLog receives one line a request unless log.accesslog.disabled is set. nil is
	// the standard output.
	AccessLog io.Writer
	// Metrics, if set, is shown by the debug server besides the metrics of the process and of distribution,
	// where http.debug.prometheus.enabled is set. It is how those of the storage come there:
	// see package layers/metrics.
	Metrics prometheus.Gatherer
	// Traces makes a span of each request. Those of the storage, made by package layers/tracing of the
	// same provider, are its children. nil makes none.
	Traces trace.TracerProvider
	// Ready, if set, is called once, with the address listened on, when requests are accepted.
	Ready func(addr string)
}

// GarbageOptions are what GarbageCollect needs.
type GarbageOptions struct {
	// Config, Driver, Drivers and Logger are as in Options.
	Config  *Config
	Driver  storagedriver.StorageDriver
	Drivers Drivers
	Logger  *slog.Logger
	// DryRun reports what would be removed and removes nothing.
	DryRun bool
	// RemoveUntagged removes manifests that no tag and no other manifest names.
	RemoveUntagged bool
	// Progress, if set, is called for each thing found to be garbage, from one goroutine,
	// after it was removed or, in a dry run, in its place.
	Progress func(Garbage)
}
