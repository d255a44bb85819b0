// Command registry-storage-filesystem is the filesystem driver in a process of its own.
package main

import (
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/ipc"
)

func main() { ipc.Main(filesystem.Name, filesystem.Open, filesystem.Config{}) }
