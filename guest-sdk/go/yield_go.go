//go:build wasip1 && !tinygo

package berth

import "runtime"

// yieldEvery is how many exports run between two yields. A yield costs a guest that comes back from a request
// 8 us, because the scheduler's code is cold by then; memory stays where it is with one in 1.
const yieldEvery = 64

var exports uint32

// yield is what every export begins with: the workers of Go's collector run only when the guest's
// one thread comes to the scheduler, and a guest that never does lets memory grow for ever.
func yield() {
	if exports++; exports%yieldEvery == 0 {
		runtime.Gosched()
	}
}
