package runtime

import (
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// Config is the operator's word on a module. The zero value reaches nothing and has the
// defaults said at the fields.
type Config struct {
	// SHA256 is what the module's digest must be, in hexadecimal; "" accepts any.
	SHA256 string
	// Allow are the origins that drivers opened from the module may reach, and how. None by default.
	Allow []egress.Rule
	// Stores are drivers that those drivers may call, by name. They must stay open until the module is
	// closed, and none of them may reach back to a driver that it was granted to.
	Stores map[string]storagedriver.StorageDriver
	// Secrets are values that drivers may read or key requests with, by name.
	Secrets map[string]Secret
	// CacheDir keeps compiled code. It must be writable by this user alone and is made
	// when missing. "" keeps nothing.
	CacheDir string
	// MemoryLimit is the most bytes of linear memory of one instance, rounded down to
	// pages of 64 KiB. Default 256 MiB; at most 4 GiB less a page.
	MemoryLimit int64
	// MaxInstances is how many instances an opened driver may have, which is how many
	// calls it runs at once; more wait. Reads that feed a call of another instance (a
	// put whose body is another object) have an eighth more, one at least, for
	// themselves. Default 256.
	MaxInstances int
	// MaxIdleInstances is how many instances are kept for later calls. Default 64.
	MaxIdleInstances int
	// IdleInstanceTime is how long an instance is kept without being used. Default 1 minute.
	IdleInstanceTime time.Duration
	// MaxOpenBodies is how many response bodies an opened driver may have at once,
	// those that readers hold included. Default 1024.
	MaxOpenBodies int
	// MaxRequests is how many requests an opened driver may wait for the response of at once; more wait.
	// Requests that feed another's body have an eighth more, one at least, for themselves. Default 512.
	MaxRequests int
	// MaxResponse is the most bytes of one response's body; a read past it is KindLimit. 0 is no limit.
	MaxResponse int64
	// MaxStreams is how many streams (docs/abi.md) an opened driver may run at once, for readers and
	// uploads together, on instances of their own; more wait. Those that feed a call have an eighth
	// more, one at least, for themselves. While some wait, a stream whose reader has taken nothing for
	// IdleTimeout fails with KindDeadline. Default 64.
	MaxStreams int
	// TotalTimeout bounds a request from its begin to the end of its response's body; 0 does not.
	TotalTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect. Default 10 seconds.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait for a response after the request, and for the
	// other side to take more of the request. Default 2 minutes.
	FirstByteTimeout time.Duration
	// IdleTimeout bounds the wait for more of a response. Default 1 minute.
	IdleTimeout time.Duration
	// Logger gets what guests log and what is wrong with them. Default slog.Default.
	Logger *slog.Logger
	// DialContext replaces the dialer. It is given addresses, never names.
	DialContext egress.DialFunc
	// Resolver replaces the system's.
	Resolver egress.Resolver
	// Record is told all that guests are told and say. It is closed after the module. nil records nothing.
	Record *trace.Recorder
	// Metric is told of the metrics of guests, with the driver's name; nil drops them. Concurrent calls
	// must be safe. counter says that value is to be added to it, not set.
	Metric func(driver, name string, counter bool, value int64)
}

// Secret is a value that the operator lends to a driver.
type Secret struct {
	Value string
	// Readable lets the driver read it.
	Readable bool
	// Origins are those to which requests may carry values keyed with it, scheme://host:port.
	Origins []string
}

const maxPages = 1<<16 - 1

func (c Config) withDefaults() (Config, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = 256 << 20
	}
	def(&c.MaxInstances, 256)
	def(&c.MaxIdleInstances, 64)
	def(&c.MaxOpenBodies, 1024)
	def(&c.MaxRequests, 512)
	def(&c.MaxStreams, 64)
	defTime(&c.IdleInstanceTime, time.Minute)
	defTime(&c.ConnectTimeout, 10*time.Second)
	defTime(&c.FirstByteTimeout, 2*time.Minute)
	defTime(&c.IdleTimeout, time.Minute)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MemoryLimit < engine.PageSize || c.MemoryLimit > maxPages*engine.PageSize {
		return c, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the memory limit %d is not between %d and %d bytes", c.MemoryLimit, engine.PageSize, maxPages*int64(engine.PageSize))
	}
	if c.MaxInstances < 1 || c.MaxIdleInstances < 1 || c.MaxOpenBodies < 1 || c.MaxRequests < 1 || c.MaxStreams < 1 || c.MaxResponse < 0 {
		return c, storagedriver.NewError(storagedriver.KindInvalidArgument, "the limits on instances, bodies, requests and streams must be positive")
	}
	if c.IdleInstanceTime < 0 || c.TotalTimeout < 0 || c.ConnectTimeout < 0 || c.FirstByteTimeout < 0 || c.IdleTimeout < 0 {
		return c, storagedriver.NewError(storagedriver.KindInvalidArgument, "time limits must be positive")
	}
	return c, nil
}
