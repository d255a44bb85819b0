package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/internal/observe"
	"github.com/prometheus/client_golang/prometheus"
)

// buckets of call seconds: a local file's fraction of a millisecond to the minute that a
// large commit on an object store may take.
var buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// Metrics are the metrics of storage drivers on one registerer. It may be used concurrently.
type Metrics struct {
	actions  *prometheus.HistogramVec
	calls    *prometheus.CounterVec
	failures *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	read     *prometheus.CounterVec
	written  *prometheus.CounterVec
	inFlight *prometheus.GaugeVec
}

// Register enters the metrics in registerer, or finds them there, and returns them. It fails
// when a metric of one of their names is there that is not theirs, as registry_storage_action_seconds
// is on the default registerer of a program that links distribution's own drivers.
func Register(registerer prometheus.Registerer) (*Metrics, error) {
	e := entries{to: registerer}
	of := []string{"driver", "operation"}
	m := &Metrics{
		actions: enter(&e, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "registry_storage_action_seconds",
			Help: "The number of seconds that the storage action takes",
		}, []string{"driver", "action"})),
		calls: enter(&e, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_backend_calls_total", Help: "Calls of the backend that began",
		}, of)),
		failures: enter(&e, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_backend_errors_total", Help: "Calls of the backend that failed, by the kind of error",
		}, append(of, "kind"))),
		seconds: enter(&e, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "berth_backend_call_seconds", Help: "Seconds that calls of the backend took until they answered", Buckets: buckets,
		}, of)),
		read: enter(&e, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_backend_read_bytes_total", Help: "Bytes of content read from the backend",
		}, of)),
		written: enter(&e, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_backend_written_bytes_total", Help: "Bytes of content written to the backend",
		}, of)),
		inFlight: enter(&e, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "berth_backend_in_flight", Help: "Calls of the backend under way, and bodies being read",
		}, of)),
	}
	if e.err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "registering the storage's metrics: %w", e.err)
	}
	return m, nil
}

// entries are what is being registered, and the first error.
type entries struct {
	to  prometheus.Registerer
	err error
}

// enter registers c, or returns the one like it that is registered.
func enter[C prometheus.Collector](e *entries, c C) C {
	if e.err != nil {
		return c
	}
	err := e.to.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if there, ok := already.ExistingCollector.(C); ok {
			return there
		}
	}
	e.err = err
	return c
}

// New returns b with its calls measured by m. Closing it closes b.
func New(b storagedriver.Backend, m *Metrics) storagedriver.Backend {
	driver := b.Name()
	return observe.New(b, func(ctx context.Context, c observe.Call) (context.Context, observe.Watch) {
		return ctx, m.watch(driver, c.Operation)
	})
}

func (m *Metrics) watch(driver, operation string) observe.Watch {
	m.calls.WithLabelValues(driver, operation).Inc()
	inFlight := m.inFlight.WithLabelValues(driver, operation)
	inFlight.Inc()
	begun, timed := time.Now(), false
	answered := func() {
		if !timed {
			timed = true
			m.seconds.WithLabelValues(driver, operation).Observe(time.Since(begun).Seconds())
		}
	}
	return observe.Watch{Answered: answered, Ended: func(r observe.Result) {
		answered()
		inFlight.Dec()
		if r.Read > 0 {
			m.read.WithLabelValues(driver, operation).Add(float64(r.Read))
		}
		if r.Written > 0 {
			m.written.WithLabelValues(driver, operation).Add(float64(r.Written))
		}
		if r.Err != nil {
			m.failures.WithLabelValues(driver, operation, storagedriver.KindOf(r.Err).String()).Inc()
		}
	}}
}

// Trace times the operations at a gate that distribution times: see layers.WithTrace. A
// Reader, a Writer and a Walk last as long as their caller, so they are not among them.
func (m *Metrics) Trace(ctx context.Context, o layers.Operation) (context.Context, func(layers.Outcome)) {
	switch o.Name {
	case "GetContent", "PutContent", "Stat", "List", "Move", "Delete", "RedirectURL":
	default:
		return ctx, nil
	}
	begun := time.Now()
	return ctx, func(layers.Outcome) {
		m.actions.WithLabelValues(o.Driver, o.Name).Observe(time.Since(begun).Seconds())
	}
}
