//go:build !wasm_unknown

package berth

import "time"

// sleep waits as WASI does, which the host ends with the call.
func sleep(nanoseconds int64) { time.Sleep(time.Duration(nanoseconds)) }
