package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

// fileFactory makes drivers of files that are named by their path.
type fileFactory struct {
	c    *composition
	open storagedriver.OpenFunc
}

// Create implements factory.StorageDriverFactory.
func (f fileFactory) Create(ctx context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	return f.c.reach(ctx, f.c.layered(f.open), parameters)
}

// load is what the factory does with a file in the search path.
func (c *composition) load(ctx context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	return c.reach(ctx, c.layered(c.openFile(path)), parameters)
}

// openFile returns what opens the driver in the file at path.
func (c *composition) openFile(path string) storagedriver.OpenFunc {
	if isWasm(path) {
		return c.openWasm(path)
	}
	return c.openExecutable(path)
}

// reach completes a driver, and makes a first request: opening a module makes none. A backend that
// refuses or cannot be reached is said now, in one line, and not by each request later.
func (c *composition) reach(ctx context.Context, open storagedriver.OpenFunc, parameters map[string]any) (storagedriver.StorageDriver, error) {
	d, err := c.complete(ctx, open, parameters)
	if err != nil {
		return nil, err
	}
	if err := statRoot(ctx, d); err != nil {
		return nil, closing(err, d.Close())
	}
	return d, nil
}

// reachTimeout is how long a driver may take to answer for the first time. One that never does must not keep a command silent for ever.
const reachTimeout = 30 * time.Second

func statRoot(ctx context.Context, d storagedriver.StorageDriver) error {
	limited, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	_, err := d.Stat(limited, "/")
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return storagedriver.WrapError("Stat", d.Name(), "/", &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: fmt.Errorf("it has not answered within %v: see what it waits for", reachTimeout)})
	}
	return err
}

// openWasm returns what opens the driver in the file at path.
func (c *composition) openWasm(path string) storagedriver.OpenFunc {
	return func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		s, err := parseSandbox(parameters)
		if err != nil {
			return nil, err
		}
		return c.openModule(ctx, path, s)
	}
}

// openNamedWasm opens the driver in the file that its parameters name.
func (c *composition) openNamedWasm(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	s, err := parseNamedSandbox(parameters)
	if err == nil && s.module == "" {
		err = storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "module" is missing: it names the .wasm file`)
	}
	if err != nil {
		return nil, storagedriver.WrapError("Open", wasmDriver, "", err)
	}
	return c.openModule(ctx, s.module, s)
}

// sandboxed is a backend on a module that is its own, with what was opened for that.
type sandboxed struct {
	storagedriver.Backend
	module *runtime.Module
	held   held
}

// Close implements storagedriver.Backend. It closes the module as well, and then its stores.
func (s *sandboxed) Close() error {
	return errors.Join(s.Backend.Close(), closeModule(s.module), s.held.close())
}

// closePatience is how long closing a module waits for calls under way. Callers end theirs first, so what
// is left is a guest that computes, and the process is about to end.
const closePatience = 10 * time.Second

func closeModule(m *runtime.Module) error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return m.Close(ctx)
}

// openModule loads the module at path, with all that its section grants it, and opens a backend from it.
func (c *composition) openModule(ctx context.Context, path string, s *sandbox) (storagedriver.Backend, error) {
	config, held, err := c.open(ctx, s)
	if err != nil {
		return nil, err
	}
	module, err := c.module(ctx, path, s.Cache, config)
	if err != nil {
		return nil, closing(err, held.close())
	}
	backend, err := module.Open(ctx, s.Parameters)
	if err != nil {
		return nil, closing(err, errors.Join(closeModule(module), held.close()))
	}
	if c.loaded != nil {
		c.loaded(module)
	}
	return &sandboxed{backend, module, held}, nil
}

// closing returns err, with what closing said if that failed too. It leaves err itself alone
// otherwise, which is how the factory recognises an error that has a kind.
func closing(err, closeErr error) error {
	if closeErr == nil {
		return err
	}
	return errors.Join(err, closeErr)
}

// module loads the module at path. Its compiled code is kept in the folder cache: "" is the command's, "off" none.
func (c *composition) module(ctx context.Context, path, cache string, config runtime.Config) (*runtime.Module, error) {
	switch cache {
	case "":
		cache = c.cacheDir
	case "off":
		cache = ""
	}
	config.CacheDir, config.Logger, config.Record = cache, c.logger, c.record
	module, err := runtime.Load(ctx, path, config)
	debug.FreeOSMemory() // loading leaves 10 MiB that a registry which waits for its first push would keep
	return module, err
}
