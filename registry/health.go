package registry

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/health"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/prometheus/client_golang/prometheus"
)

// defaultCheckInterval is distribution's.
const defaultCheckInterval = 10 * time.Second

// storageCheck enters the check of the storage in checks and returns what polls it until its
// context ends.
func storageCheck(checks *health.Registry, name string, d storagedriver.StorageDriver, config configuration.StorageDriver, log *slog.Logger) func(context.Context) {
	interval := config.Interval
	if interval <= 0 {
		interval = defaultCheckInterval
	}
	check := health.CheckFunc(func(ctx context.Context) error {
		_, err := d.Stat(ctx, "/")
		if err != nil && ctx.Err() == nil {
			log.Error("health check of the storage", "error", oneLine(err.Error()))
		}
		return err
	})
	updater := health.NewThresholdStatusUpdater(config.Threshold)
	checks.Register("storagedriver_"+name, updater)
	return func(ctx context.Context) { health.Poll(ctx, updater, check, interval) }
}

// whileHealthy answers 503 while a check fails, and 200 at "/" otherwise, which is what load
// balancers ask.
func whileHealthy(checks *health.Registry, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(checks.CheckStatus(r.Context())) > 0:
			// The client that cannot be answered is gone.
			_ = errcode.ServeJSON(w, errcode.ErrorCodeUnavailable.WithDetail("health check failed: please see /debug/health"))
		case r.URL.Path == "/":
			w.Header().Set("Cache-Control", "no-cache")
			w.WriteHeader(http.StatusOK)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// debugHandler serves health, metrics and profiles.
func debugHandler(checks *health.Registry, metrics prometheus.Gatherer, config configuration.Prometheus) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/health", func(w http.ResponseWriter, r *http.Request) {
		failing := checks.CheckStatus(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if len(failing) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(failing)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if config.Enabled {
		path := config.Path
		if path == "" {
			path = "/metrics"
		}
		mux.Handle(path, metricsHandler(metrics))
	}
	return mux
}
