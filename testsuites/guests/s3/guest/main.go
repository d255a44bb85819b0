// Command guest is the driver of package s3 as a .wasm module.
package main

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/testsuites/guests/s3"
)

var _ = berth.Register(s3.Manifest(), s3.Open)

func main() {}
