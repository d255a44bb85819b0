package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/all"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// A driver NAME in the search path is a file filePrefix + NAME + wasmSuffix, or an executable filePrefix + NAME.
const (
	filePrefix = "registry-storage-"
	wasmSuffix = ".wasm"
	// wasmDriver is the driver that loads the file its parameters name, ipcDriver the one that starts the executable they name.
	wasmDriver = "wasm"
	ipcDriver  = "ipc"
	// cacheVariable names the folder for compiled modules.
	cacheVariable = "BERTH_CACHE_DIR"
)

// composition is the one place where drivers, runtime and factory meet.
type composition struct {
	*factory.Registry
	native    map[string]storagedriver.OpenFunc // what is compiled in, by name
	cacheDir  string
	getenv    func(string) string
	logger    *slog.Logger
	observers stack.Observers
	trace     layers.Trace // of every driver's gate
	// guestMetric is told of the metrics of sandboxed drivers; nil drops them.
	guestMetric func(driver, name string, counter bool, value int64)
	// record is told what sandboxed drivers are told and say; nil is not.
	record *trace.Recorder
	// loaded is told of each module that a driver was opened from; it may be nil.
	loaded func(*runtime.Module)
}

// compose returns the drivers that this command knows. What guests log, and what the
// drivers' operations are at level debug, goes to standard error.
func (a *app) compose() *composition {
	return a.composeLogging(slog.New(slog.NewTextHandler(a.stderr, nil)))
}

// composeLogging is compose with another logger.
func (a *app) composeLogging(logger *slog.Logger) *composition {
	return a.composeObserved(logger, nil, stack.Observers{})
}

// composeObserved is composeLogging with what observes every driver: at its gate, which may be nil, and around
// its backend.
func (a *app) composeObserved(logger *slog.Logger, gate layers.Trace, observers stack.Observers) *composition {
	c := &composition{
		Registry:  &factory.Registry{SearchPath: factory.DefaultSearchPath(a.getenv, a.executable)},
		native:    map[string]storagedriver.OpenFunc{},
		cacheDir:  a.cacheDir(),
		getenv:    a.getenv,
		logger:    logger,
		observers: observers,
		trace:     layers.Traces(layers.LogTrace(logger), gate),
	}
	for _, d := range all.Drivers() {
		open := c.layered(d.Open)
		c.native[d.Name] = open
		c.Register(d.Name, factory.FromOpen(d.Name, open, c.options()...))
	}
	c.Register(wasmDriver, fileFactory{c, c.openNamedWasm})
	c.Register(ipcDriver, fileFactory{c, c.openNamedExecutable})
	c.Register(migrateDriver, migrateFactory{c})
	c.AddLoader(factory.Loader{Prefix: filePrefix, Suffix: wasmSuffix, Load: c.load})
	c.AddLoader(factory.Loader{Prefix: filePrefix, Load: c.load})
	return c
}

// options are those of every driver's gate.
func (c *composition) options() []layers.Option {
	return []layers.Option{layers.WithTrace(c.trace)}
}

// layered puts the layers that a driver's parameters ask for around what open opens.
func (c *composition) layered(open storagedriver.OpenFunc) storagedriver.OpenFunc {
	return stack.Open(open, c.observers)
}

// cacheDir returns where compiled modules are kept, or "" where there is no such place.
func (a *app) cacheDir() string {
	if dir := a.getenv(cacheVariable); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "berth", "wasm")
}

// backend opens, with its layers, what is below the gate of the driver called name: a compiled-in one, "wasm", "ipc", or one in the
// search path, with the parameters that a configuration gives it. The caller closes it, which ends all that
// was made for it.
func (c *composition) backend(ctx context.Context, name string, parameters map[string]any) (storagedriver.Backend, error) {
	open, ok := c.native[name]
	switch {
	case ok:
	case name == wasmDriver:
		return c.layered(c.openNamedWasm)(ctx, parameters) // its errors name the file
	case name == migrateDriver:
		return nil, usageError{errors.New("the driver migrate is no single store: name one of its two, with --store old or --store new where a configuration is named")}
	case name == ipcDriver:
		return c.layered(c.openNamedExecutable)(ctx, parameters)
	default:
		file, err := c.Find(name)
		if err != nil {
			return nil, err
		}
		open = c.layered(c.openFile(file.Path))
	}
	b, err := open(ctx, parameters)
	if err != nil {
		return nil, storagedriver.WrapError("Open", name, "", err)
	}
	return b, nil
}

// complete opens a backend, and puts the gate before it.
func (c *composition) complete(ctx context.Context, open storagedriver.OpenFunc, parameters map[string]any) (storagedriver.StorageDriver, error) {
	b, err := open(ctx, parameters)
	if err != nil {
		return nil, err
	}
	return layers.Complete(b, c.options()...), nil
}

// named is a driver as the command line names it: a registered name, a name in the search
// path, or a file.
type named struct {
	name       string
	allow      []string // as --allow has them
	parameters map[string]any
	config     string // a file with its section; ""
	// section is that of a project, to which all else adds; nil for drivers that are none.
	section map[string]any
	// own says that it was built in a project here: its debug information may be trusted.
	own bool
}

// isFile reports whether name is a path, not the name of a driver. The name of a driver's file is one in the working directory.
func isFile(name string) bool {
	return isWasm(name) || strings.HasPrefix(name, filePrefix) || strings.ContainsAny(name, `/\`)
}

// isWasm reports whether the file at path is a .wasm driver; the others are executables.
func isWasm(path string) bool { return strings.HasSuffix(path, wasmSuffix) }

// fileOf returns the path of the driver called name in a file, which may be a path already.
func (c *composition) fileOf(name string) (string, error) {
	if isFile(name) {
		return name, nil
	}
	if path := c.foundFile(name); path != "" {
		return path, nil
	}
	if slices.Contains(c.Names(), name) {
		return "", usageError{fmt.Errorf("%s is compiled in: only drivers in files can be inspected", name)}
	}
	return "", fmt.Errorf("there is no driver %q: name a file, or one that 'berth driver ls' lists: %w", name, fs.ErrNotExist)
}
