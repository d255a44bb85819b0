package native

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Config is what drivers are lent. All of it is optional: what is missing is KindDenied, or KindUnsupported for a
// compression, where a driver asks for it. It may be shared; its functions are then called concurrently.
type Config struct {
	// Client makes the requests. Default NewClient's, which every Host then has one of its own of.
	Client *http.Client
	// Logger gets what drivers log; nil discards it.
	Logger *slog.Logger
	// Credential signs a request with a credential. sha256 is the body's digest if the driver gave it; otherwise
	// the body can be read by GetBody, if there is one.
	Credential func(ctx context.Context, r *http.Request, credential string, sha256 []byte) error
	// Presign returns a URL that is good for valid, for a request with a credential.
	Presign func(ctx context.Context, r *http.Request, credential string, valid time.Duration) (string, error)
	// Secrets are values by name, which drivers may read and key requests with.
	Secrets map[string]string
	// Zstd compresses or decompresses what r has, which it need not close; Max is not its concern. Errors in
	// content that is decompressed are KindCorrupt unless they are r's.
	Zstd func(how berth.Compression, r io.Reader) (io.ReadCloser, error)
	// Stores are stores by name.
	Stores map[string]Store
	// Metric is told of metrics; counter says that value is to be added, not set.
	Metric func(name string, counter bool, value int64)
}

// NewHost returns a Host whose requests run under ctx; bodies that are detached stay under it.
func (c *Config) NewHost(ctx context.Context) *Host {
	h := &Host{ctx: ctx, config: *c}
	if h.config.Logger == nil {
		h.config.Logger = slog.New(discard{})
	}
	if h.config.Client == nil {
		h.config.Client = NewClient()
		h.open = append(h.open, idle{h.config.Client})
	}
	return h
}

// idle closes the connections that a Host's own client keeps.
type idle struct{ client *http.Client }

func (i idle) Close() error {
	i.client.CloseIdleConnections()
	return nil
}
