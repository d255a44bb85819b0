package migrate

import (
	"log/slog"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
)

// Name is the driver's name.
const Name = "migrate"

// DefaultParallel is how many files are copied at a time by default: few enough to leave most of both sides to the registry.
const DefaultParallel = 4

// Verify is how an O is compared with its N when everything was copied.
type Verify string

// The values of Verify.
const (
	// VerifyDigest reads both and compares their SHA-256.
	VerifyDigest Verify = "digest"
	// VerifySize compares the sizes alone.
	VerifySize Verify = "size"
)

// Config is what a migration needs. Old and New are closed with the Driver.
type Config struct {
	Old, New storagedriver.Backend
	// Copy has the driver copy by itself, until it is closed or everything is verified.
	Copy bool
	// Copying says how that is done.
	Copying CopyOptions
	// Logger is told what the copier does; nil is nobody.
	Logger *slog.Logger
	// Gate are the options of the gates around Old, New and the result.
	Gate []layers.Option

	timing timing // zero is defaultTiming
}

// CopyOptions say how to copy.
type CopyOptions struct {
	// Parallel is how many files are copied at a time; 0 is DefaultParallel.
	Parallel int
	// Rate is the most bytes read from old per second, by this copier; 0 is no limit.
	Rate int64
	// Verify is "" for VerifyDigest.
	Verify Verify
}

// Check returns KindInvalidArgument for a value out of its range.
func (o CopyOptions) Check() error {
	switch {
	case o.Parallel < 0 || o.Parallel > 256:
		return storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "parallel" must be a whole number from 1 to 256`)
	case o.Rate < 0:
		return storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "rate" must be bytes per second, and not negative`)
	case o.Verify != "" && o.Verify != VerifyDigest && o.Verify != VerifySize:
		return storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "verify" must be digest or size`)
	}
	return nil
}

func (o CopyOptions) withDefaults() CopyOptions {
	if o.Parallel == 0 {
		o.Parallel = DefaultParallel
	}
	if o.Verify == "" {
		o.Verify = VerifyDigest
	}
	return o
}
