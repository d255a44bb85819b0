// Command guest is the sealing driver as a .wasm module:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o registry-storage-seal.wasm ./guest
package main

import (
	"github.com/berth-dev/storagedriver/examples/seal"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(seal.Manifest(), seal.Open)

func main() {}
