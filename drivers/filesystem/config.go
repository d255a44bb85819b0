package filesystem

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// Name is the name the driver is registered under.
const Name = "filesystem"

// The defaults and the clamp are distribution's.
const (
	DefaultRootDirectory = "/var/lib/registry"
	DefaultMaxThreads    = 100
	// MinThreads is what a smaller MaxThreads is raised to.
	MinThreads = 25

	// maxThreads is what a greater MaxThreads is lowered to: no process has more threads.
	maxThreads = 1 << 16
)

// Config is the driver's parameters.
type Config struct {
	// RootDirectory holds the objects. It is made when it does not exist.
	RootDirectory string `parameter:"rootdirectory"`
	// MaxThreads bounds the calls that use the file system at one time, each of which may
	// hold a thread of the operating system.
	MaxThreads int64 `parameter:"maxthreads"`
	// Fsync says what survives a loss of power; "" is FsyncFull.
	Fsync Fsync `parameter:"fsync"`
}

// Fsync is what a driver does for a loss of power. A crash of the process costs nothing with either.
type Fsync string

// The values of Fsync.
const (
	// FsyncFull: what a call has stored or deleted is so after a loss of power.
	FsyncFull Fsync = "full"
	// FsyncOff: nothing is synced. A loss of power may undo what was stored or deleted in the last seconds
	// (some 30 with Linux's defaults) and leave objects and suspended uploads empty, shortened or with zeros in them.
	FsyncOff Fsync = "off"
)

// Values returns the values of Fsync.
func (Fsync) Values() []string { return []string{string(FsyncFull), string(FsyncOff)} }

// UnmarshalText implements encoding.TextUnmarshaler. YAML reads an off without quotes as false.
func (f *Fsync) UnmarshalText(text []byte) error {
	switch string(text) {
	case "full", "true":
		*f = FsyncFull
	case "off", "false":
		*f = FsyncOff
	default:
		return errors.New(`must be "full" or "off"`)
	}
	return nil
}

var _ storagedriver.OpenFunc = Open

// Open is New for the factory.
func Open(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	config := Config{RootDirectory: DefaultRootDirectory, MaxThreads: DefaultMaxThreads}
	if err := factory.Decode(parameters, &config); err != nil {
		return nil, err
	}
	d, err := New(ctx, config)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// New opens a driver. The caller closes it. Any number of drivers, in any number of processes,
// may share a root directory.
func New(ctx context.Context, config Config) (*Driver, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if config.RootDirectory == "" {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "rootdirectory" must name a directory`)
	}
	switch config.Fsync {
	case "", FsyncFull, FsyncOff:
	default:
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "fsync" must be "full" or "off"`)
	}
	if err := os.MkdirAll(config.RootDirectory, dirMode); err != nil {
		return nil, rootError(err)
	}
	root, err := openTree(config.RootDirectory, config.Fsync != FsyncOff)
	if err != nil {
		return nil, rootError(err)
	}
	d := &Driver{
		root:    root,
		slots:   make(chan struct{}, min(max(config.MaxThreads, MinThreads), maxThreads)),
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},

		syncEvery: syncEvery,
	}
	return d, nil
}

// rootError is the error of a root directory that cannot be used; err names it.
func rootError(err error) error {
	kind := storagedriver.KindOf(classify(err, writing))
	if kind == storagedriver.KindInvalidPath || kind == storagedriver.KindNotFound {
		kind = storagedriver.KindInvalidArgument
	}
	return storagedriver.Errorf(kind, `parameter "rootdirectory" must name a directory that can be made or opened: %w`, err)
}
