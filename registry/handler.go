package registry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/health"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/prometheus/client_golang/prometheus"

	// What a configuration may name.
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/silly"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/cloudfront"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/redirect"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/rewrite"
)

// Handler is the registry's HTTP API. ServeHTTP may be called concurrently.
type Handler struct {
	app    *handlers.App
	cancel context.CancelFunc
	log    *slog.Logger
}

// NewHandler returns the registry's API over d, as config says. Of the storage section only
// the keys that are not a driver's count, and uploads are not purged: Serve does that. ctx gives
// values, not cancellation. The caller closes the Handler when no request is left, then d.
// A configuration that distribution refuses is an error of one line.
func NewHandler(ctx context.Context, d storagedriver.StorageDriver, config *Config) (*Handler, error) {
	return newHandler(ctx, adapt.ToDistribution(d), config, Logger())
}

func newHandler(ctx context.Context, d driver.StorageDriver, config *Config, log *slog.Logger) (h *Handler, err error) {
	registerHandover()
	own := ownConfig(config)
	own.Storage = handoverStorage(config.Storage, d)
	own.Health.StorageDriver.Enabled = false // Serve's, which waits for it to end
	warnOfCloudFront(d, own, log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if p := recover(); p != nil {
			cancel()
			h, err = nil, refused(p, own)
		}
	}()
	return &Handler{app: handlers.NewApp(ctx, own), cancel: cancel, log: log}, nil
}

// ownConfig returns a copy that NewApp may change, without the middleware that is disabled: NewApp
// does not look at that, and writes into the lists of expressions.
func ownConfig(config *Config) *Config {
	own := *config
	own.Middleware = make(map[string][]configuration.Middleware, len(config.Middleware))
	for where, list := range config.Middleware {
		own.Middleware[where] = slices.DeleteFunc(slices.Clone(list), func(m configuration.Middleware) bool { return m.Disabled })
	}
	urls := &own.Validation.Manifests.URLs
	urls.Allow, urls.Deny = slices.Clone(urls.Allow), slices.Clone(urls.Deny)
	return &own
}

// warnOfCloudFront says so when the middleware cloudfront will do nothing: it signs for the keys of a bucket, and says itself only
// at each request that there are none.
func warnOfCloudFront(d driver.StorageDriver, config *Config, log *slog.Logger) {
	_, inBucket := d.(interface{ S3BucketKey(path string) string })
	for _, m := range config.Middleware["storage"] {
		if m.Name == "cloudfront" && !inBucket {
			log.Warn("middleware.storage: cloudfront does nothing: the driver has no bucket", "driver", d.Name())
		}
	}
}

// refused is the error of one line for what NewApp panicked with.
func refused(p any, config *Config) error {
	if _, twice := p.(prometheus.AlreadyRegisteredError); twice {
		return storagedriver.NewError(storagedriver.KindInvalidArgument,
			"configuration: http.debug.prometheus: is enabled for another registry of this process; enable it for one")
	}
	text := oneLine(fmt.Sprint(p))
	// What distribution panics with is the text alone of net/http's error: it has asked the registry behind the proxy.
	if config.Proxy.RemoteURL != "" && strings.HasPrefix(text, "Get \"") {
		return storagedriver.Errorf(storagedriver.KindUnavailable,
			"configuration: proxy.remoteurl: %s: it is asked at the start; see that it runs and can be reached from here", text)
	}
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "configuration: %s", text)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := adapt.WithRequest(r.Context())
	defer adapt.EndRequest(ctx)
	r = r.WithContext(ctx)
	a := &answering{ResponseWriter: w, request: r, log: h.log}
	h.app.ServeHTTP(a, r)
	a.finish()
}

// Close stops what runs in the background. It is called once, after the last request.
func (h *Handler) Close() error {
	defer h.cancel()
	return h.app.Shutdown()
}

// registerChecks enters the file, HTTP and TCP checks of the configuration in checks and
// starts polling them until Close.
func (h *Handler) registerChecks(checks *health.Registry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = storagedriver.Errorf(storagedriver.KindInvalidArgument, "configuration: health: %s", oneLine(fmt.Sprint(p)))
		}
	}()
	h.app.RegisterHealthChecks(checks)
	return nil
}
