package runtime

import (
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// Config is the operator's word on a module. The zero value reaches nothing and has the
// defaults said at the fields.
type Config struct {
	// Allow are the origins that drivers opened from the module may reach, as
	// scheme://host:port. None by default.
	Allow []string
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
	// ConnectTimeout bounds one attempt to connect. Default 10 seconds.
	ConnectTimeout time.Duration
	// FirstByteTimeout bounds the wait for a response after the request, and for the
	// other side to take more of the request. Default 2 minutes.
	FirstByteTimeout time.Duration
	// IdleTimeout bounds the wait for more of a response. Default 1 minute.
	IdleTimeout time.Duration
	// Logger gets what guests log and what is wrong with them. Default slog.Default.
	Logger *slog.Logger
	// DialContext replaces the dialer.
	DialContext egress.DialFunc
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
	if c.MaxInstances < 1 || c.MaxIdleInstances < 1 || c.MaxOpenBodies < 1 {
		return c, storagedriver.NewError(storagedriver.KindInvalidArgument, "the limits on instances and bodies must be positive")
	}
	if c.IdleInstanceTime < 0 || c.ConnectTimeout < 0 || c.FirstByteTimeout < 0 || c.IdleTimeout < 0 {
		return c, storagedriver.NewError(storagedriver.KindInvalidArgument, "time limits must be positive")
	}
	return c, nil
}
