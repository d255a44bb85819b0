package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/stack"
)

// storage opens the driver that a command line names, again and again on one storage.
type storage struct {
	c       *composition
	backend func(context.Context) (storagedriver.Backend, error)
}

// storage returns what opens the driver.
func (c *composition) storage(n named) (storage, error) {
	inFile := map[string]any{"parameters": n.parameters}
	if section, there := n.parameters[stack.Key]; there { // which is beside the parameters of a driver in a file
		own := maps.Clone(n.parameters)
		delete(own, stack.Key)
		inFile["parameters"], inFile[stack.Key] = own, section
	}
	allowed := func(path string) error {
		if isWasm(path) {
			inFile["allow"] = n.allow
		} else if len(n.allow) > 0 {
			return usageError{fmt.Errorf("--allow is for drivers in .wasm files, and %s is an executable, which reaches what its user can", path)}
		}
		return nil
	}
	opens := func(name string, parameters map[string]any) storage {
		return storage{c, func(ctx context.Context) (storagedriver.Backend, error) { return c.backend(ctx, name, parameters) }}
	}
	if isFile(n.name) {
		inFile["path"] = n.name
		if isWasm(n.name) {
			return opens(wasmDriver, inFile), allowed(n.name)
		}
		return opens(ipcDriver, inFile), allowed(n.name)
	}
	if !slices.Contains(c.Names(), n.name) {
		file, err := c.Find(n.name)
		if err != nil {
			return storage{}, err
		}
		return opens(n.name, inFile), allowed(file.Path)
	}
	if len(n.allow) > 0 {
		return storage{}, usageError{fmt.Errorf("--allow is for drivers in .wasm files, and %s is compiled in", n.name)}
	}
	if n.name == inmemory.Name {
		return storage{c, c.shared(n.parameters)}, nil
	}
	return opens(n.name, n.parameters), nil
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
