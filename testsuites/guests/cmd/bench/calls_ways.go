package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	driver "github.com/berth-dev/storagedriver/testsuites/guests/memory"
	"github.com/berth-dev/storagedriver/testsuites/guests/memory/goplugin"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// called is what is called of a Backend, below the gate.
type called interface {
	List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error)
	Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)
	Put(ctx context.Context, path string, body storagedriver.Source) error
	Close() error
}

// way is the driver of package memory, called in one way.
type way struct {
	name string
	called
	step int64 // the most that one Read asks for; -1: all
	puts int
	sum  uint32 // of the object that was put last
}

// The ways, in the order of ways.
const (
	wayNative = iota
	wayWasm
	wayIPC
	wayPlugin
	wayControl // the native one once more
)

type ways []way

func (list ways) close() error {
	var failures []error
	for i := len(list) - 1; i >= 0; i-- {
		failures = append(failures, list[i].Close())
	}
	return errors.Join(failures...)
}

// openWays compiles the driver for each way and opens it. What is open is returned beside an error too.
func openWays(ctx context.Context, cache string) (list ways, err error) {
	const module = "github.com/berth-dev/storagedriver/testsuites/guests/memory/"
	for _, w := range []struct {
		name, pkg, file string
		step            int64
		open            func(ctx context.Context, path string) (called, error)
	}{
		wayNative:  {name: "native", step: -1, open: openNative},
		wayWasm:    {"wasm", module + "guest", "memory.wasm", wasmStep, openWasm},
		wayIPC:     {"ipc", module + "process", "registry-storage-memory", -1, openIPC},
		wayPlugin:  {"go-plugin", module + "goplugin/plugin", "memory-plugin", -1, openPlugin},
		wayControl: {name: "control", step: -1, open: openNative},
	} {
		path := filepath.Join(cache, w.file)
		if w.pkg != "" {
			if err := compileWay(ctx, w.pkg, path); err != nil {
				return list, err
			}
		}
		c, err := w.open(ctx, path)
		if err != nil {
			return list, fmt.Errorf("open %s: %w", w.name, err)
		}
		list = append(list, way{name: w.name, called: c, step: w.step})
	}
	return list, nil
}

// compileWay compiles a package of this module: to a .wasm file or an executable, as the name of out says.
func compileWay(ctx context.Context, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", out)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if filepath.Ext(out) == ".wasm" {
		cmd.Args = append(cmd.Args, "-buildmode=c-shared")
		cmd.Env = append(cmd.Env, "GOOS=wasip1", "GOARCH=wasm")
	}
	cmd.Args = append(cmd.Args, pkg)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile %s: %w\n%s", pkg, err, output.Bytes())
	}
	return nil
}

func openNative(ctx context.Context, _ string) (called, error) {
	return native.Open(driver.Manifest(), driver.Open)(ctx, nil)
}

// wasmStep is what a guest without a backend that streams for it can answer a read with.
const wasmStep = abi.MaxInline

func openWasm(ctx context.Context, path string) (called, error) {
	m, err := runtime.Load(ctx, path, runtime.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	b, err := m.Open(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	return loaded{b, m}, nil
}

// loaded closes its module too.
type loaded struct {
	storagedriver.Backend
	m *runtime.Module
}

func (l loaded) Close() error { return errors.Join(l.Backend.Close(), l.m.Close(context.Background())) }

func openPlugin(_ context.Context, path string) (called, error) { return goplugin.Open(path) }
