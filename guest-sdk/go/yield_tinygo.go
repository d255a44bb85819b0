//go:build tinygo && (wasip1 || wasm_unknown)

package berth

// yield does nothing: TinyGo's collector runs in the allocation that needs it.
func yield() {}
