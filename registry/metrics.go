package registry

import (
	"context"

	"net/http"
	"time"

	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// storageMetrics are distribution's metrics of its storage drivers, under its names: there
// they come with the base type of its own drivers, which ours do not have.
type storageMetrics struct {
	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec
}

func newStorageMetrics() *storageMetrics {
	m := &storageMetrics{
		registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "registry_storage_action_seconds",
			Help: "The number of seconds that the storage action takes",
		}, []string{"driver", "action"}),
	}
	m.registry.MustRegister(m.seconds)
	return m
}

// handler serves these metrics together with those of the process and of distribution.
func (m *storageMetrics) handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{prometheus.DefaultGatherer, m.registry},
		promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// measure returns d with its calls timed.
func (m *storageMetrics) measure(d driver.StorageDriver) driver.StorageDriver {
	return &measured{StorageDriver: d, m: m}
}

// measured times the calls that distribution times. A Reader, a Writer and a Walk last as
// long as their caller, so they are not among them.
type measured struct {
	driver.StorageDriver
	m *storageMetrics
}

func (d *measured) observe(action string, start time.Time) {
	d.m.seconds.WithLabelValues(d.Name(), action).Observe(time.Since(start).Seconds())
}

func (d *measured) GetContent(ctx context.Context, path string) ([]byte, error) {
	defer d.observe("GetContent", time.Now())
	return d.StorageDriver.GetContent(ctx, path)
}

func (d *measured) PutContent(ctx context.Context, path string, content []byte) error {
	defer d.observe("PutContent", time.Now())
	return d.StorageDriver.PutContent(ctx, path, content)
}

func (d *measured) Stat(ctx context.Context, path string) (driver.FileInfo, error) {
	defer d.observe("Stat", time.Now())
	return d.StorageDriver.Stat(ctx, path)
}

func (d *measured) List(ctx context.Context, path string) ([]string, error) {
	defer d.observe("List", time.Now())
	return d.StorageDriver.List(ctx, path)
}

func (d *measured) Move(ctx context.Context, sourcePath, destPath string) error {
	defer d.observe("Move", time.Now())
	return d.StorageDriver.Move(ctx, sourcePath, destPath)
}

func (d *measured) Delete(ctx context.Context, path string) error {
	defer d.observe("Delete", time.Now())
	return d.StorageDriver.Delete(ctx, path)
}

func (d *measured) RedirectURL(r *http.Request, path string) (string, error) {
	defer d.observe("RedirectURL", time.Now())
	return d.StorageDriver.RedirectURL(r, path)
}

var (
	_ driver.StorageDriver = (*measured)(nil)
)
