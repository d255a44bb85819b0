//go:build wasip1 && !tinygo

package berth

import "runtime"

// yield is what every export begins with: the workers of Go's collector run only when the guest's
// one thread comes to the scheduler, and an export that never does starves them.
func yield() { runtime.Gosched() }
