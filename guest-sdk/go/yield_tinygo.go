//go:build wasip1 && tinygo

package berth

// yield does nothing: TinyGo's collector runs in the allocation that needs it.
func yield() {}
