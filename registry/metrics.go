package registry

import (
	"net/http"
	"sync"

	"github.com/distribution/distribution/v3/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// registerStorageMetrics enters distribution's metrics of its blob descriptor cache, registry_storage_cache_*,
// where its others are. There it is done by the base type of its drivers, which ours do not have; a program
// that links that type as well has them already, and the error says no more than this.
var registerStorageMetrics = sync.OnceFunc(func() { _ = prometheus.DefaultRegisterer.Register(metrics.StorageNamespace) })

// metricsHandler serves the metrics of the process and of distribution together with the given
// ones, which may be nil. What cannot be gathered is left out.
func metricsHandler(given prometheus.Gatherer) http.Handler {
	registerStorageMetrics()
	all := prometheus.Gatherers{prometheus.DefaultGatherer}
	if given != nil {
		all = append(all, given)
	}
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
