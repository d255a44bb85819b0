package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

// storage opens the driver that a command line names, again and again on one storage.
type storage struct {
	c       *composition
	backend func(context.Context) (storagedriver.Backend, error)
}

// storage returns what opens the driver.
func (c *composition) storage(n named) (storage, error) {
	opens := func(name string, parameters map[string]any) storage {
		return storage{c, func(ctx context.Context) (storagedriver.Backend, error) { return c.backend(ctx, name, parameters) }}
	}
	path, loader := n.name, n.name
	switch {
	case isFile(n.name) && isWasm(n.name):
		loader = wasmDriver
	case isFile(n.name):
		loader = ipcDriver
	case !slices.Contains(c.Names(), n.name):
		file, err := c.Find(n.name)
		if err != nil {
			return storage{}, err
		}
		path = file.Path
	default:
		return c.registered(n, opens)
	}
	if !isWasm(path) && len(n.allow) > 0 {
		return storage{}, usageError{fmt.Errorf("--allow is for drivers in .wasm files, and %s is an executable, which reaches what its user can", path)}
	}
	section, err := c.sectionOf(n, true)
	if err != nil {
		return storage{}, err
	}
	if key := fileKeys()[loader]; key != "" {
		section[key] = path
	}
	s := opens(loader, section)
	if loader == wasmDriver {
		s.backend = c.keeping(s.backend)
	}
	return s, allowing(section, n.allow)
}

// keeping opens the driver in a .wasm file that keeps all it has in its own memory once, for as long as the command runs: nobody would find in a second one what the
// first has. Others it opens each time.
func (c *composition) keeping(open func(context.Context) (storagedriver.Backend, error)) func(context.Context) (storagedriver.Backend, error) {
	var first storagedriver.Backend
	return func(ctx context.Context) (storagedriver.Backend, error) {
		if first != nil {
			return kept{first}, nil
		}
		var module *runtime.Module // the last that is loaded: those of its stores come before
		told := c.loaded
		c.loaded = func(m *runtime.Module) {
			module = m
			if told != nil {
				told(m)
			}
		}
		b, err := open(ctx)
		c.loaded = told
		if err != nil || module == nil || !inMemory(module) {
			return b, err
		}
		first = b
		return kept{first}, nil
	}
}

// inMemory reports whether a driver has nothing outside its memory to keep things in.
func inMemory(m *runtime.Module) bool {
	says := m.Info().Manifest
	return says.Instances == 1 && len(says.Hosts) == 0 && len(says.Stores) == 0
}

// kept is a backend that outlives the drivers on it.
type kept struct{ storagedriver.Backend }

// Close leaves it open.
func (kept) Close() error { return nil }

// registered is storage for the name of a driver that is compiled in.
func (c *composition) registered(n named, opens func(string, map[string]any) storage) (storage, error) {
	if len(n.allow) > 0 {
		return storage{}, usageError{fmt.Errorf("--allow is for drivers in .wasm files, and %s is compiled in", n.name)}
	}
	section, err := c.sectionOf(n, false)
	if err != nil {
		return storage{}, err
	}
	if n.name == inmemory.Name {
		return storage{c, c.shared(section)}, nil
	}
	return opens(n.name, section), nil
}

// shared opens backends on one memory: inmemory has no storage that a second opening would find.
func (c *composition) shared(parameters map[string]any) func(context.Context) (storagedriver.Backend, error) {
	memory := inmemory.New()
	open := c.layered(func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		if _, err := inmemory.Open(ctx, parameters); err != nil { // checks the parameters
			return nil, err
		}
		return memory, nil
	})
	return func(ctx context.Context) (storagedriver.Backend, error) {
		b, err := open(ctx, parameters)
		return b, storagedriver.WrapError("Open", inmemory.Name, "", err)
	}
}

// open opens a driver. The caller closes it.
func (s storage) open(ctx context.Context, options ...layers.Option) (storagedriver.StorageDriver, error) {
	b, err := s.backend(ctx)
	if err != nil {
		return nil, err
	}
	return s.complete(b, options...), nil
}

func (s storage) complete(b storagedriver.Backend, options ...layers.Option) storagedriver.StorageDriver {
	return layers.Complete(b, append(s.c.options(), options...)...)
}

// reach opens the driver and closes it again. A driver that cannot be opened or reached is no failure of
// conformance; the error says what it is.
func (s storage) reach(ctx context.Context) error {
	d, err := s.open(ctx)
	if err != nil {
		return err
	}
	if err := statRoot(ctx, d); err != nil {
		return closing(err, d.Close())
	}
	return d.Close()
}
