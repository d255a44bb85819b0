// Command guest is the driver of package parts as a .wasm module.
package main

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/testsuites/guests/parts"
)

var _ = berth.Register(parts.Manifest(), parts.Open)

func main() {}
