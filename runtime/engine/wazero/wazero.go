// Package wazero is the default engine: WebAssembly compiled ahead of time, in pure Go.
package wazero

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"

	wz "github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/berth-dev/storagedriver/runtime/engine"
)

// New returns an engine. Its Close also closes what it compiled and instantiated.
func New(ctx context.Context, cfg engine.Config) (engine.Engine, error) {
	rc := wz.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(cfg.MemoryPages).
		WithCloseOnContextDone(false).         // costs 4 to 11 times; see docs/security.md
		WithDebugInfoEnabled(cfg.Lines != nil) // which has it keep the offsets of code, and write them into stacks
	e := &wasmEngine{lines: cfg.Lines}
	if cfg.CacheDir != "" {
		cache, err := openCache(cfg.CacheDir)
		if err != nil {
			return nil, err
		}
		e.cache = cache
		rc = rc.WithCompilationCache(cache)
	}
	e.rt = wz.NewRuntimeWithConfig(ctx, rc)
	if cfg.Lines != nil && cfg.Source != nil {
		ctx = listening(ctx, cfg)
	}
	if err := e.addFunctions(ctx, cfg.Functions); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return e, nil
}

// openCache refuses directories that others may write to, that of wazero in it included.
func openCache(dir string) (wz.CompilationCache, error) {
	if err := engine.PrivateDir(dir); err != nil {
		return nil, fmt.Errorf("the compile cache: %w", err)
	}
	cache, err := wz.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the compile cache: %w", err)
	}
	inner, err := filepath.Glob(filepath.Join(dir, "wazero-*"))
	for _, d := range inner {
		err = errors.Join(err, engine.PrivateDir(d))
	}
	if err != nil {
		return nil, fmt.Errorf("the compile cache: %w", errors.Join(err, cache.Close(context.Background())))
	}
	return cache, nil
}

type wasmEngine struct {
	rt    wz.Runtime
	cache wz.CompilationCache
	mem   allocator
	lines *engine.Lines // nil: none are named

	mu     sync.Mutex
	images []*image // of the modules compiled
}

func (e *wasmEngine) addFunctions(ctx context.Context, functions []engine.HostFunc) error {
	modules := map[string]wz.HostModuleBuilder{}
	for _, f := range functions {
		b := modules[f.Module]
		if b == nil {
			b = e.rt.NewHostModuleBuilder(f.Module)
			modules[f.Module] = b
		}
		b.NewFunctionBuilder().WithGoModuleFunction(hostFunc(f.Call), valueTypes(f.Type.Params), valueTypes(f.Type.Results)).Export(f.Name)
	}
	for name, b := range modules {
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("host module %s: %w", name, err)
		}
	}
	return nil
}

// hostFunc is a host function without reflection.
type hostFunc func(ctx context.Context, mem engine.Memory, stack []uint64)

func (f hostFunc) Call(ctx context.Context, mod api.Module, stack []uint64) {
	f(ctx, mod.Memory(), stack)
}

func valueTypes(types []engine.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(types))
	for i, t := range types {
		out[i] = api.ValueType(t)
	}
	return out
}

func (e *wasmEngine) Compile(ctx context.Context, wasm []byte) (engine.Compiled, error) {
	ctx = experimental.WithCompilationWorkers(ctx, goruntime.GOMAXPROCS(0))
	wasm, data := engine.SplitData(wasm)
	m, err := e.rt.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	c := &compiled{e: e, m: m}
	if data != nil {
		if c.image, err = newImage(data); err != nil {
			return nil, errors.Join(fmt.Errorf("the data of the module: %w", err), m.Close(ctx))
		}
		e.mu.Lock()
		e.images = append(e.images, c.image)
		e.mu.Unlock()
	}
	return c, nil
}

func (e *wasmEngine) MappedBytes() int64 { return e.mem.mapped.Load() }

func (e *wasmEngine) Close(ctx context.Context) error {
	err := e.rt.Close(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range e.images {
		err = errors.Join(err, i.close())
	}
	e.images = nil
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}

type compiled struct {
	e     *wasmEngine
	m     wz.CompiledModule
	image *image // what the memory begins with, or nil
}

// Instantiate turns the panic by which wazero answers an allocator without memory into
// an error.
func (c *compiled) Instantiate(ctx context.Context) (in engine.Instance, err error) {
	lease := &lease{a: &c.e.mem, image: c.image}
	defer func() {
		if r := recover(); r != nil {
			lease.Free()
			if !errors.Is(lease.err, errNoMemory) {
				panic(r)
			}
			in, err = nil, lease.err
		} else if err != nil {
			lease.Free() // nobody else does, when instantiating fails
		}
	}()
	ctx = experimental.WithMemoryAllocator(ctx, lease)
	mod, err := c.e.rt.InstantiateModule(ctx, c.m, wz.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, trapOf(err)
	}
	return &instance{mod: mod, lines: c.e.lines}, nil
}

type instance struct {
	mod   api.Module
	lines *engine.Lines
}

func (i *instance) Func(name string) engine.Func {
	f := i.mod.ExportedFunction(name)
	if f == nil {
		return nil
	}
	results := f.Definition().ResultTypes()
	called := &function{f: f, narrow: len(results) == 1 && results[0] == api.ValueTypeI32}
	if i.lines != nil {
		return &linedFunction{called, i.lines}
	}
	return called
}

func (i *instance) Memory() engine.Memory { return i.mod.Memory() }

func (i *instance) Close(ctx context.Context) error { return i.mod.Close(ctx) }

type function struct {
	f      api.Function
	narrow bool // the upper half of an i32 result is whatever the register held
}

func (f *function) Call(ctx context.Context, stack []uint64) error {
	if err := f.f.CallWithStack(ctx, stack); err != nil {
		return trapOf(err)
	}
	if f.narrow {
		stack[0] = uint64(uint32(stack[0]))
	}
	return nil
}

// What is around a stack in wazero's text: what follows it is the host's.
const (
	stackBegins = "\nwasm stack trace:\n"
	stackEnds   = "\n\n"
)

// trapOf takes the stack out of wazero's text, where alone it is.
func trapOf(err error) *engine.Trap {
	text, stack, _ := strings.Cut(err.Error(), stackBegins)
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		text = "the instance is closed"
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "wasm error: "), " (recovered by wazero)")
	text, _, _ = strings.Cut(text, "\n")
	stack, _, _ = strings.Cut(stack, stackEnds)
	functions, _ := functionsOf(stack)
	return &engine.Trap{Reason: text, Stack: strings.Join(functions, "\n"), Err: err}
}
