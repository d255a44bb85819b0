package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/examples/webdav"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// environment is everything that is measured.
type environment struct {
	params map[string]any
	webdav *runtime.Module
	nop    *runtime.Module
	sides  sides
	// content is what is written. It lies outside the heap: as a part of it, it would let the
	// collector wait so long that every allocation meets memory that was not touched before.
	content []byte
	open    []func() error // what closes it, in order
}

// sides are three drivers on one server: native, wasm, and native once more as control.
type sides [3]side

type side struct {
	name string
	storagedriver.StorageDriver
}

func newEnvironment(ctx context.Context, s *process, cache, module string) (_ *environment, err error) {
	e := &environment{params: map[string]any{"endpoint": s.url + "/dav/registry"}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.content, err = syscall.Mmap(-1, 0, large, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err != nil {
		return nil, err
	}
	e.open = append(e.open, func() error { return syscall.Munmap(e.content) })
	for i := range e.content {
		e.content[i] = byte(i) // pages that were never written would all be one
	}
	if module == "" {
		if module, err = guestbuild.Build(ctx, "webdav"); err != nil {
			return nil, err
		}
	}
	if e.webdav, err = e.load(ctx, module, s.url, cache); err != nil {
		return nil, err
	}
	nop, err := guestbuild.Build(ctx, "nop")
	if err != nil {
		return nil, err
	}
	if e.nop, err = e.load(ctx, nop, s.url, cache); err != nil {
		return nil, err
	}
	unboxed := native.Open(webdav.Manifest(), webdav.Open)
	for i, x := range []struct {
		name string
		open storagedriver.OpenFunc
	}{{"native", unboxed}, {"wasm", e.webdav.Open}, {"control", unboxed}} {
		b, err := x.open(ctx, e.params)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", x.name, err)
		}
		d := layers.Complete(b)
		e.sides[i] = side{x.name, d}
		e.open = append([]func() error{d.Close}, e.open...)
	}
	return e, nil
}

func (e *environment) load(ctx context.Context, path, origin, cache string) (*runtime.Module, error) {
	m, err := runtime.Load(ctx, path, runtime.Config{Allow: egress.Origins(origin), CacheDir: cache, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	e.open = append([]func() error{func() error { return m.Close(context.WithoutCancel(ctx)) }}, e.open...)
	return m, nil
}

func (e *environment) close() error {
	var failures []error
	for _, f := range e.open {
		failures = append(failures, f())
	}
	e.open = nil
	return errors.Join(failures...)
}
