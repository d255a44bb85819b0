//go:build wasip1 && !wasm_unknown

package berth

// fail ends the instance. The text comes to the host through stderr.
func fail(text string) { panic(text) }
