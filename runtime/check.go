package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// checkModule tells from outside whether a module can be a driver: its size, its imports,
// its exports and their types, its memory.
func checkModule(wasm []byte, functions []engine.HostFunc, memoryLimit int64) (*engine.Shape, error) {
	if len(wasm) > abi.MaxModule {
		return nil, fmt.Errorf("the module has more than %d bytes: strip it, or build it smaller", abi.MaxModule)
	}
	shape, err := engine.Inspect(wasm)
	if err != nil {
		return nil, fmt.Errorf("%w: a driver is a .wasm file built with one of the guest SDKs", err)
	}
	if err := checkImports(shape.Imports, functions); err != nil {
		return nil, err
	}
	if err := checkExports(shape.Exports); err != nil {
		return nil, err
	}
	if shape.Memory == nil {
		return nil, fmt.Errorf("the module has no memory of its own: build it with one of the guest SDKs")
	}
	if least := int64(shape.Memory.Min) * engine.PageSize; least > memoryLimit {
		return nil, fmt.Errorf("it needs %d bytes of memory to start, the limit is %d: raise the memory limit", least, memoryLimit)
	}
	return shape, nil
}

func checkImports(imports []engine.Import, functions []engine.HostFunc) error {
	for _, im := range imports {
		full := im.Module + "." + im.Name
		if im.Kind != engine.KindFunc {
			return fmt.Errorf("it imports the %v %q: a driver imports functions only", im.Kind, full)
		}
		i := slices.IndexFunc(functions, func(f engine.HostFunc) bool { return f.Module == im.Module && f.Name == im.Name })
		if i < 0 {
			return fmt.Errorf("it imports %q, which Berth does not have: build it for ABI %d.%d and without other libraries' imports", full, abi.Major, abi.Minor)
		}
		if !functions[i].Type.Equal(im.Type) {
			return fmt.Errorf("it imports %q as %v, which is %v: build it with an SDK for ABI %d.%d", full, im.Type, functions[i].Type, abi.Major, abi.Minor)
		}
	}
	return nil
}

// requiredExports are the functions that every guest has.
func requiredExports() map[string]engine.FuncType {
	const i32, i64 = engine.I32, engine.I64
	types := func(t ...engine.ValueType) []engine.ValueType { return t }
	return map[string]engine.FuncType{
		abi.ExportABI:      {Results: types(i32)},
		abi.ExportAlloc:    {Params: types(i32), Results: types(i32)},
		abi.ExportFree:     {Params: types(i32, i32)},
		abi.ExportDispatch: {Params: types(i32, i32, i32), Results: types(i64)},
	}
}

func checkExports(exports []engine.Export) error {
	found := map[string]engine.Export{}
	for _, e := range exports {
		found[e.Name] = e
	}
	if found[abi.ExportMemory].Kind != engine.KindMemory {
		return fmt.Errorf("it does not export its memory as %q: build it with one of the guest SDKs", abi.ExportMemory)
	}
	required := requiredExports()
	var missing []string
	for name := range required {
		if e, ok := found[name]; !ok || e.Kind != engine.KindFunc {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("it does not export the function %s: build it with one of the guest SDKs (a Go guest with -buildmode=c-shared)", strings.Join(missing, ", "))
	}
	if _, ok := found[abi.ExportInitialize]; ok {
		required[abi.ExportInitialize] = engine.FuncType{}
	}
	for name, want := range required {
		if e := found[name]; e.Kind != engine.KindFunc || !e.Type.Equal(want) {
			return fmt.Errorf("it exports %q as %v, which must be %v: build it with an SDK for ABI %d.%d", name, e.Type, want, abi.Major, abi.Minor)
		}
	}
	return nil
}
