//go:build wasip1 || wasm_unknown

package berth

import "unsafe"

func newRegistered(m Manifest, open OpenFunc) *guest { return newGuest(&wasmImports{}, m, open) }

// buffers keeps what alloc gave alive, by address. The collectors of Go and of TinyGo move nothing, so the
// addresses stay good.
var buffers = map[uint32][]byte{}

// lastBuffer is the one that the last message came in, and most likely the next, at lastPointer.
var (
	lastBuffer  []byte
	lastPointer uint32
)

//go:wasmexport abi
func exportABI() uint32 {
	yield()
	return Version
}

//go:wasmexport alloc
func exportAlloc(size uint32) uint32 {
	yield()
	if size == 0 || size > MaxMessage {
		return 0
	}
	b := make([]byte, size)
	p := uint32(uintptr(unsafe.Pointer(&b[0])))
	buffers[p] = b
	return p
}

//go:wasmexport free
func exportFree(ptr, _ uint32) {
	yield()
	delete(buffers, ptr)
	lastBuffer, lastPointer = nil, 0
}

//go:wasmexport dispatch
func exportDispatch(op, ptr, size uint32) uint64 {
	yield()
	if ptr != lastPointer {
		lastBuffer, lastPointer = buffers[ptr], ptr
	}
	b := lastBuffer
	if uint64(size) > uint64(len(b)) {
		fail("berth: dispatch was given a buffer that alloc did not make")
	}
	if registered == nil {
		fail("berth: no driver is registered; call berth.Register from the main package's initialisation")
	}
	reply := registered.dispatch(op, b[:size])
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(reply))))<<32 | uint64(len(reply))
}
