//go:build wasm_unknown

package berth

import "unsafe"

// TinyGo's target wasm-unknown has no WASI: its time stands still, its sleep returns at once, and what a panic says is lost.

//go:wasmimport wasi_snapshot_preview1 poll_oneoff
func importPoll(subscriptions, events unsafe.Pointer, count int32, happened unsafe.Pointer) int32

// What poll_oneoff reads and writes, in its layout: a subscription to a clock, and its event.
var (
	subscription = [6]uint64{2: 1} // clock, monotonic
	event        [4]uint64
	happened     uint32
)

// sleep waits by the one function of WASI that the host offers to every guest for it, and ends with the call.
func sleep(nanoseconds int64) {
	if nanoseconds <= 0 {
		return
	}
	subscription[3] = uint64(nanoseconds)
	importPoll(unsafe.Pointer(&subscription), unsafe.Pointer(&event), 1, unsafe.Pointer(&happened))
}

// fail ends the instance. The text comes to the host as a line of the log.
func fail(text string) {
	importLog(int32(LevelError), unsafe.Pointer(unsafe.StringData(text)), int32(len(text)))
	panic(text)
}
