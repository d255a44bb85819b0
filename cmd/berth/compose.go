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
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/all"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

// A driver NAME in the search path is a file wasmPrefix + NAME + wasmSuffix.
const (
	wasmPrefix = "registry-storage-"
	wasmSuffix = ".wasm"
	// wasmDriver is the driver that loads the file its parameters name.
	wasmDriver = "wasm"
	// cacheVariable names the folder for compiled modules.
	cacheVariable = "BERTH_CACHE_DIR"
)

// composition is the one place where drivers, runtime and factory meet.
type composition struct {
	*factory.Registry
	cacheDir string
	logger   *slog.Logger
}

// compose returns the drivers that this command knows. What guests log, and what the
// drivers' operations are at level debug, goes to standard error.
func (a *app) compose() *composition {
	return a.composeLogging(slog.New(slog.NewTextHandler(a.stderr, nil)))
}

// composeLogging is compose with another logger.
func (a *app) composeLogging(logger *slog.Logger) *composition {
	c := &composition{
		Registry: &factory.Registry{SearchPath: factory.DefaultSearchPath(a.getenv, a.executable)},
		cacheDir: a.cacheDir(),
		logger:   logger,
	}
	all.Register(c.Registry, c.options()...)
	c.Register(wasmDriver, wasmFactory{c})
	c.AddLoader(factory.Loader{Prefix: wasmPrefix, Suffix: wasmSuffix, Load: c.load})
	return c
}

// options are those of every driver's gate.
func (c *composition) options() []layers.Option {
	return []layers.Option{layers.WithTrace(layers.LogTrace(c.logger))}
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

// sandboxConfig is the section of a driver in a .wasm file: what the operator allows it,
// and the parameters that are its own.
type sandboxConfig struct {
	// Allow are the origins it may reach, scheme://host:port.
	Allow []string `parameter:"allow"`
	// Memory is the most bytes of linear memory of one instance; 0 is the runtime's default.
	Memory int64 `parameter:"memory"`
	// Instances is how many calls run at once; 0 is the runtime's default.
	Instances int `parameter:"instances"`
	// Cache is the folder for compiled code; "off" keeps none.
	Cache string `parameter:"cache"`
	// Parameters are the driver's own.
	Parameters map[string]any `parameter:"parameters"`
}

// wasmFactory makes drivers of files that are named by their path.
type wasmFactory struct{ c *composition }

// Create implements factory.StorageDriverFactory.
func (f wasmFactory) Create(ctx context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	var config struct {
		Path          string `parameter:"path"`
		sandboxConfig `parameter:",squash"`
	}
	if err := factory.Decode(parameters, &config); err != nil {
		return nil, storagedriver.WrapError("Open", wasmDriver, "", err)
	}
	if config.Path == "" {
		return nil, storagedriver.WrapError("Open", wasmDriver, "", storagedriver.NewError(storagedriver.KindInvalidArgument,
			`parameter "path" is missing: it names the .wasm file`))
	}
	return f.c.open(ctx, config.Path, config.sandboxConfig)
}

// load is what the factory does with a file in the search path.
func (c *composition) load(ctx context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	var config sandboxConfig
	if err := factory.Decode(parameters, &config); err != nil {
		return nil, err
	}
	return c.open(ctx, path, config)
}

// sandboxed is a driver on a module that is its own.
type sandboxed struct {
	storagedriver.StorageDriver
	module *runtime.Module
}

// Close implements storagedriver.StorageDriver.
func (s *sandboxed) Close() error {
	return errors.Join(s.StorageDriver.Close(), closeModule(s.module))
}

// closePatience is how long closing a module waits for calls under way. Callers end theirs first, so what
// is left is a guest that computes, and the process is about to end.
const closePatience = 10 * time.Second

func closeModule(m *runtime.Module) error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return m.Close(ctx)
}

// open loads the module at path and opens a driver from it.
func (c *composition) open(ctx context.Context, path string, config sandboxConfig) (*sandboxed, error) {
	module, err := c.module(ctx, path, config)
	if err != nil {
		return nil, err
	}
	backend, err := module.Open(ctx, config.Parameters)
	if err != nil {
		return nil, closing(err, closeModule(module))
	}
	d := &sandboxed{layers.Complete(backend, c.options()...), module}
	// Opening a module makes no request. A backend that refuses or cannot be reached is said
	// now, in one line, and not by each request later.
	if _, err := d.Stat(ctx, "/"); err != nil {
		return nil, closing(err, d.Close())
	}
	return d, nil
}

// closing returns err, with what closing said if that failed too. It leaves err itself alone
// otherwise, which is how the factory recognises an error that has a kind.
func closing(err, closeErr error) error {
	if closeErr == nil {
		return err
	}
	return errors.Join(err, closeErr)
}

func (c *composition) module(ctx context.Context, path string, config sandboxConfig) (*runtime.Module, error) {
	cache := config.Cache
	switch cache {
	case "":
		cache = c.cacheDir
	case "off":
		cache = ""
	}
	return runtime.Load(ctx, path, runtime.Config{
		Allow: config.Allow, MemoryLimit: config.Memory, MaxInstances: config.Instances, CacheDir: cache, Logger: c.logger,
	})
}

// named is a driver as the command line names it: a registered name, a name in the search
// path, or a file.
type named struct {
	name       string
	allow      []string
	parameters map[string]any
}

// isFile reports whether name is a path, not the name of a driver.
func isFile(name string) bool {
	return strings.HasSuffix(name, wasmSuffix) || strings.ContainsAny(name, `/\`)
}

// fileOf returns the path of the .wasm driver called name, which may be a path already.
func (c *composition) fileOf(name string) (string, error) {
	if isFile(name) {
		return name, nil
	}
	for _, f := range c.Files() {
		if f.Name == name {
			return f.Path, nil
		}
	}
	if slices.Contains(c.Names(), name) {
		return "", usageError{fmt.Errorf("%s is compiled in: only drivers in .wasm files can be inspected", name)}
	}
	return "", fmt.Errorf("there is no driver %q: name a .wasm file, or one that 'berth driver ls' lists: %w", name, fs.ErrNotExist)
}

// opener returns what opens the driver, again and again on one storage.
func (c *composition) opener(n named) (func(context.Context) (storagedriver.StorageDriver, error), error) {
	inSandbox := map[string]any{"allow": n.allow, "parameters": n.parameters}
	if isFile(n.name) {
		inSandbox["path"] = n.name
		return c.creates(wasmDriver, inSandbox), nil
	}
	if !slices.Contains(c.Names(), n.name) {
		return c.creates(n.name, inSandbox), nil
	}
	if len(n.allow) > 0 {
		return nil, usageError{fmt.Errorf("--allow is for drivers in .wasm files, and %s is compiled in", n.name)}
	}
	if n.name == inmemory.Name {
		return c.shared(n.parameters), nil
	}
	return c.creates(n.name, n.parameters), nil
}

func (c *composition) creates(name string, parameters map[string]any) func(context.Context) (storagedriver.StorageDriver, error) {
	return func(ctx context.Context) (storagedriver.StorageDriver, error) { return c.Create(ctx, name, parameters) }
}

// shared opens drivers on one memory: inmemory has no storage that a second opening would find.
func (c *composition) shared(parameters map[string]any) func(context.Context) (storagedriver.StorageDriver, error) {
	memory := inmemory.New()
	return func(ctx context.Context) (storagedriver.StorageDriver, error) {
		if _, err := inmemory.Open(ctx, parameters); err != nil { // checks the parameters
			return nil, storagedriver.WrapError("Open", inmemory.Name, "", err)
		}
		return layers.Complete(memory, c.options()...), nil
	}
}
