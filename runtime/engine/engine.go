// Package engine is the small interface that WebAssembly engines meet.
//
// An engine runs modules that Inspect has accepted. It gives them the host functions it
// was made with and nothing else.
package engine

import (
	"context"
	"fmt"
	"strings"
)

// PageSize is the unit of linear memory.
const PageSize = 65536

// ValueType is the type of a parameter or result, as in the binary format.
type ValueType byte

// The value types of host functions and exports here.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
)

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String writes the type as docs/abi.md does: "(i32, i64) -> i32".
func (t FuncType) String() string {
	list := func(types []ValueType) string {
		names := make([]string, len(types))
		for i, v := range types {
			names[i] = v.String()
		}
		return strings.Join(names, ", ")
	}
	if len(t.Results) == 1 {
		return "(" + list(t.Params) + ") -> " + t.Results[0].String()
	}
	return "(" + list(t.Params) + ") -> (" + list(t.Results) + ")"
}

// Equal reports whether both have the same parameters and results.
func (t FuncType) Equal(u FuncType) bool {
	return string(bytesOf(t.Params)) == string(bytesOf(u.Params)) && string(bytesOf(t.Results)) == string(bytesOf(u.Results))
}

func bytesOf(types []ValueType) []byte {
	b := make([]byte, len(types))
	for i, v := range types {
		b[i] = byte(v)
	}
	return b
}

// String names the type.
func (v ValueType) String() string {
	switch v {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case 0x7d:
		return "f32"
	case 0x7c:
		return "f64"
	case 0x7b:
		return "v128"
	case 0x70:
		return "funcref"
	case 0x6f:
		return "externref"
	}
	return fmt.Sprintf("type %#x", byte(v))
}

// Memory is the linear memory of an instance during a call of a host function or between
// calls. A view is good until the guest runs again, and never longer.
type Memory interface {
	// Read returns a view of n bytes at offset; false when they are not all in memory.
	Read(offset, n uint32) ([]byte, bool)
}

// HostFunc is a function that guests may import. Call gets the context that Func.Call was
// given; the parameters are on the stack and the results go there. It traps by panicking
// with an error, which is in the chain of what Func.Call then returns. It must not call
// into the guest.
type HostFunc struct {
	Module, Name string
	Type         FuncType
	Call         func(ctx context.Context, mem Memory, stack []uint64)
}

// Config is what an engine is made with.
type Config struct {
	// Functions are what guests may import.
	Functions []HostFunc
	// MemoryPages is the most pages of linear memory of an instance.
	MemoryPages uint32
	// CacheDir is a private directory for compiled code, or "". See PrivateDir. That of an engine with Lines is no other's: it keeps where code is of.
	CacheDir string
	// Lines are those of the one module that the engine compiles. With them traps have Sources, and Source is told, before each call of a function, the
	// line that it is made in, which may be "", with the context of the call. nil costs nothing.
	Lines  *Lines
	Source func(ctx context.Context, at string)
}

// Engine compiles modules. It may be used concurrently.
type Engine interface {
	// Compile validates wasm in full and compiles it. The caller closes the result.
	Compile(ctx context.Context, wasm []byte) (Compiled, error)
	// MappedBytes is how much linear memory is mapped in all instances.
	MappedBytes() int64
	// Close frees all of it. No instance may be running.
	Close(ctx context.Context) error
}

// Compiled is a compiled module. It may be used concurrently.
type Compiled interface {
	// Instantiate makes an instance without calling any of its functions but the
	// module's start section. The caller closes it.
	Instantiate(ctx context.Context) (Instance, error)
}

// Instance is a module with a memory of its own. It is used by one goroutine at a time.
type Instance interface {
	// Func returns an exported function, or nil.
	Func(name string) Func
	// Memory returns the linear memory.
	Memory() Memory
	// Close frees the instance. It must not be running.
	Close(ctx context.Context) error
}

// Func is an exported function of an instance.
type Func interface {
	// Call runs the function with the parameters on the stack, where it leaves the
	// results. The stack has room for the longer of both; i32 results have their upper
	// half cleared. A guest that traps is a *Trap. The context is not looked at while
	// the guest computes.
	Call(ctx context.Context, stack []uint64) error
}

// Trap is how a guest's call ends when it does not return.
type Trap struct {
	// Reason is one line.
	Reason string
	// Stack is the guest's stack, a function a line, innermost first; it may be "".
	Stack string
	// Sources is Stack with the lines of source below each function, "  at FILE:LINE" or "  at FILE", innermost first; "" where the engine has no Lines.
	Sources string
	// Err is what a host function panicked with, or the engine's own error.
	Err error
}

func (t *Trap) Error() string { return t.Reason }

// Unwrap returns the cause.
func (t *Trap) Unwrap() error { return t.Err }
