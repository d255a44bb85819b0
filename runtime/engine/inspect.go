package engine

import (
	"bytes"
	"errors"
	"fmt"
)

// Kind is what an import or export is.
type Kind byte

// The kinds, as in the binary format.
const (
	KindFunc   Kind = 0
	KindTable  Kind = 1
	KindMemory Kind = 2
	KindGlobal Kind = 3
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "function"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	}
	return fmt.Sprintf("kind %#x", byte(k))
}

// Import is one import of a module. Type is that of a function.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType
}

// Export is one export of a module. Type is that of a function.
type Export struct {
	Name string
	Kind Kind
	Type FuncType
}

// MemoryType is the size of a memory in pages. Without HasMax it may grow to what the
// host allows.
type MemoryType struct {
	Min, Max uint32
	HasMax   bool
}

// Shape is a module seen from outside.
type Shape struct {
	Imports []Import
	Exports []Export
	// Memory is the module's own memory, or nil.
	Memory *MemoryType
}

// ErrNotWasm is wrapped when a file is no core WebAssembly module at all.
var ErrNotWasm = errors.New("not a WebAssembly module")

var (
	magic     = []byte("\x00asm")
	version   = []byte{1, 0, 0, 0}
	component = []byte{0x0d, 0, 1, 0}
)

// Inspect reads the imports, the exports and the memory of a module. It trusts nothing; an
// engine validates the rest. The result shares nothing with wasm.
func Inspect(wasm []byte) (*Shape, error) {
	if len(wasm) < 8 || !bytes.Equal(wasm[:4], magic) {
		return nil, ErrNotWasm
	}
	if bytes.Equal(wasm[4:8], component) {
		return nil, fmt.Errorf("%w: it is a component; build a core module", ErrNotWasm)
	}
	if !bytes.Equal(wasm[4:8], version) {
		return nil, fmt.Errorf("%w: binary version %x", ErrNotWasm, wasm[4:8])
	}
	in := &inspector{cursor: cursor{b: wasm, pos: 8}}
	for in.pos < len(in.b) && in.err == nil {
		id := in.byte()
		size := in.u32()
		if in.err == nil && int64(size) > int64(len(in.b)-in.pos) {
			in.fail("section %d ends early", id)
		}
		if in.err != nil {
			break
		}
		end := in.pos + int(size)
		in.section(id, cursor{b: in.b[:end], pos: in.pos})
		in.pos = end
	}
	if in.err != nil {
		return nil, in.err
	}
	return in.shape()
}

type inspector struct {
	cursor
	types     []FuncType
	funcs     []uint32 // type of each function, imports first
	memories  []MemoryType
	imports   []Import
	exports   []Export
	exportIdx []uint32
}

func (in *inspector) section(id byte, c cursor) {
	switch id {
	case 1:
		in.typeSection(&c)
	case 2:
		in.importSection(&c)
	case 3:
		for range c.count() {
			in.funcs = append(in.funcs, c.u32())
		}
	case 5:
		for range c.count() {
			in.memories = append(in.memories, c.limits())
		}
	case 7:
		for range c.count() {
			e := Export{Name: c.name(), Kind: Kind(c.byte())}
			in.exports = append(in.exports, e)
			in.exportIdx = append(in.exportIdx, c.u32())
			if c.err != nil {
				break
			}
		}
	}
	if in.err == nil {
		in.err = c.err
	}
}

func (in *inspector) typeSection(c *cursor) {
	for range c.count() {
		if form := c.byte(); form != 0x60 {
			c.fail("type form %#x", form)
		}
		in.types = append(in.types, FuncType{Params: c.valueTypes(), Results: c.valueTypes()})
		if c.err != nil {
			return
		}
	}
}

func (in *inspector) importSection(c *cursor) {
	for range c.count() {
		im := Import{Module: c.name(), Name: c.name(), Kind: Kind(c.byte())}
		switch im.Kind {
		case KindFunc:
			idx := c.u32()
			in.funcs = append(in.funcs, idx)
			im.Type = in.funcType(idx)
		case KindTable:
			c.byte()
			c.limits()
		case KindMemory:
			c.limits()
		case KindGlobal:
			c.byte()
			c.byte()
		default:
			c.fail("import of %v", im.Kind)
		}
		if c.err != nil {
			return
		}
		in.imports = append(in.imports, im)
	}
}

func (in *inspector) funcType(idx uint32) FuncType {
	if int64(idx) >= int64(len(in.types)) {
		in.fail("function type %d of %d", idx, len(in.types))
		return FuncType{}
	}
	return in.types[idx]
}

func (in *inspector) shape() (*Shape, error) {
	s := &Shape{Imports: in.imports, Exports: in.exports}
	for i := range s.Exports {
		if s.Exports[i].Kind != KindFunc {
			continue
		}
		if idx := in.exportIdx[i]; int64(idx) < int64(len(in.funcs)) {
			s.Exports[i].Type = in.funcType(in.funcs[idx])
		} else {
			in.fail("export of function %d of %d", idx, len(in.funcs))
		}
	}
	switch len(in.memories) {
	case 0:
	case 1:
		s.Memory = &in.memories[0]
	default:
		in.fail("%d memories", len(in.memories))
	}
	if in.err != nil {
		return nil, in.err
	}
	return s, nil
}
