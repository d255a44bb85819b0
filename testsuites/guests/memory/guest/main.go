// Command guest is the driver of package memory as a .wasm module.
package main

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/testsuites/guests/memory"
)

var _ = berth.Register(memory.Manifest(), memory.Open)

func main() {}
