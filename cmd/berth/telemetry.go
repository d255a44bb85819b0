package main

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/metrics"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/layers/tracing"
	"github.com/berth-dev/storagedriver/registry"
)

// flushPatience is how long the last spans may take to be exported when the process ends.
const flushPatience = 5 * time.Second

// telemetry is what a registry tells of itself besides its log. What nobody asked for is nil.
type telemetry struct {
	traces  *sdktrace.TracerProvider
	metrics *metrics.Metrics
	guests  *guestMetrics
	shown   *prometheus.Registry // has the metrics
	logger  *slog.Logger
}

// openTelemetry returns what the configuration and the variables OTEL_* ask for. The caller closes it.
func (a *app) openTelemetry(ctx context.Context, config *registry.Config, logger *slog.Logger) (*telemetry, error) {
	t := &telemetry{logger: logger}
	if config.HTTP.Debug.Prometheus.Enabled {
		t.shown = prometheus.NewRegistry()
		var err error
		if t.metrics, err = metrics.Register(t.shown); err != nil {
			return nil, err
		}
		if t.guests, err = registerGuestMetrics(t.shown); err != nil {
			return nil, err
		}
	}
	if !tracesWanted(a.getenv) {
		return t, nil
	}
	if err := soundEndpoints(a.getenv); err != nil {
		return nil, err
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument,
			"exporting traces: %w: OTEL_TRACES_EXPORTER is %q, of otlp, console and none, and OTEL_EXPORTER_OTLP_PROTOCOL %q, of http/protobuf and grpc",
			err, a.getenv("OTEL_TRACES_EXPORTER"), a.getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
	}
	described, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "berth"), attribute.String("service.version", version)),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// Exporters say nowhere else what they could not deliver.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("exporting traces", "error", oneLine(err.Error())) }))
	t.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	return t, nil
}

// tracesWanted reports whether the environment asks for traces. distribution sends them to
// localhost:4318 when nobody said anything.
func tracesWanted(getenv func(string) string) bool {
	switch exporter := getenv("OTEL_TRACES_EXPORTER"); {
	case getenv("OTEL_SDK_DISABLED") == "true", exporter == "none":
		return false
	default:
		return exporter != "" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	}
}

// soundEndpoints refuses what is no URL: the exporter would pass over it, and export to localhost.
func soundEndpoints(getenv func(string) string) error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		value := getenv(name)
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" && u.Scheme != "unix") {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: must be a URL such as http://collector:4318", name)
		}
	}
	return nil
}

// close exports what is left. It is called after the last request.
func (t *telemetry) close() {
	if t.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	if err := t.traces.Shutdown(ctx); err != nil {
		t.logger.Warn("exporting the last traces", "error", oneLine(err.Error()))
	}
}

// trace is told of the operations at the gate of a driver; nil when nobody asked.
func (t *telemetry) trace() layers.Trace {
	var traces []layers.Trace
	if t.traces != nil {
		traces = append(traces, tracing.Trace(t.traces))
	}
	if t.metrics != nil {
		traces = append(traces, t.metrics.Trace)
	}
	return layers.Traces(traces...)
}

// provider and gatherer are t's, for interfaces, where nothing must be nil.
func (t *telemetry) provider() trace.TracerProvider {
	if t.traces == nil {
		return nil
	}
	return t.traces
}

func (t *telemetry) gatherer() prometheus.Gatherer {
	if t.shown == nil {
		return nil
	}
	return t.shown
}

// guestMetric is told of what sandboxed drivers count; nil when nobody asked.
func (t *telemetry) guestMetric() func(driver, name string, counter bool, value int64) {
	if t.guests == nil {
		return nil
	}
	return t.guests.tell
}

// observers are the layers that watch the backend: those that somebody asked for.
func (t *telemetry) observers() stack.Observers {
	var o stack.Observers
	if t.traces != nil {
		o.Tracing = func(b storagedriver.Backend) storagedriver.Backend { return tracing.New(b, t.traces) }
	}
	if t.metrics != nil {
		o.Metrics = func(b storagedriver.Backend) storagedriver.Backend { return metrics.New(b, t.metrics) }
	}
	return o
}
