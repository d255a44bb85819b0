// Command guest is the compressing driver as a .wasm module:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o registry-storage-compress.wasm ./guest
package main

import (
	"github.com/berth-dev/storagedriver/examples/compress"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(compress.Manifest(), compress.Open)

func main() {}
