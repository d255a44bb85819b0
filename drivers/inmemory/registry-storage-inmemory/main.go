// Command registry-storage-inmemory is the inmemory driver in a process of its own. What it holds is gone when the process
// ends.
package main

import (
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/ipc"
)

func main() { ipc.Main(inmemory.Name, inmemory.Open, struct{}{}) }
