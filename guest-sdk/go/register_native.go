//go:build !wasip1 && !wasm_unknown

package berth

// newRegistered has no host to register with: natively a driver is opened by calling its OpenFunc.
func newRegistered(Manifest, OpenFunc) *guest { return nil }
