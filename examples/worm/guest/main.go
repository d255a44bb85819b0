// Command guest is the write-once driver as a .wasm module:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o registry-storage-worm.wasm ./guest
package main

import (
	"github.com/berth-dev/storagedriver/examples/worm"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(worm.Manifest(), worm.Open)

func main() {}
