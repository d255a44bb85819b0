//go:build wasip1 || wasm_unknown

package berth

import (
	"runtime"
	"unsafe"
)

//go:wasmimport berth call
func importCall(op int32, ptr unsafe.Pointer, size int32, out unsafe.Pointer, capacity int32) int64

//go:wasmimport berth take
func importTake(out unsafe.Pointer, capacity int32) int64

//go:wasmimport berth read
func importRead(handle int64, ptr unsafe.Pointer, size int32) int64

//go:wasmimport berth write
func importWrite(handle int64, ptr unsafe.Pointer, size int32) int64

//go:wasmimport berth splice
func importSplice(dst, src, n int64) int64

//go:wasmimport berth close
func importClose(handle int64) int64

//go:wasmimport berth now
func importNow() int64

//go:wasmimport berth random
func importRandom(ptr unsafe.Pointer, size int32) int64

//go:wasmimport berth log
func importLog(level int32, ptr unsafe.Pointer, size int32) int64

// wasmImports are the imports of module berth. Methods of the pointer are called without the wrappers that
// interfaces need for those of a value.
type wasmImports struct{}

func (*wasmImports) call(op int32, request, out []byte) int64 {
	n := importCall(op, data(request), int32(len(request)), data(out), int32(len(out)))
	runtime.KeepAlive(request)
	runtime.KeepAlive(out)
	return n
}

func (*wasmImports) take(out []byte) int64 {
	n := importTake(data(out), int32(len(out)))
	runtime.KeepAlive(out)
	return n
}

func (*wasmImports) read(handle int64, p []byte) int64 {
	n := importRead(handle, data(p), int32(len(p)))
	runtime.KeepAlive(p)
	return n
}

func (*wasmImports) write(handle int64, p []byte) int64 {
	n := importWrite(handle, data(p), int32(len(p)))
	runtime.KeepAlive(p)
	return n
}

func (*wasmImports) splice(dst, src, n int64) int64 { return importSplice(dst, src, n) }

func (*wasmImports) close(handle int64) int64 { return importClose(handle) }

func (*wasmImports) now() int64 { return importNow() }

func (*wasmImports) random(p []byte) int64 {
	n := importRandom(data(p), int32(len(p)))
	runtime.KeepAlive(p)
	return n
}

func (*wasmImports) log(level int32, line []byte) int64 {
	n := importLog(level, data(line), int32(len(line)))
	runtime.KeepAlive(line)
	return n
}

func data(p []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(p)) }
