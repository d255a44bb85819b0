// Command process is the driver of package memory as an executable: registry-storage-memory.
package main

import (
	"github.com/berth-dev/storagedriver/ipc"
	"github.com/berth-dev/storagedriver/testsuites/guests/memory"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

func main() {
	ipc.Main(memory.Name, native.Open(memory.Manifest(), memory.Open), nil)
}
