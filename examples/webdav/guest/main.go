// Command guest is the WebDAV driver as a .wasm module:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o registry-storage-webdav.wasm ./guest
package main

import (
	"github.com/berth-dev/storagedriver/examples/webdav"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(webdav.Manifest(), webdav.Open)

func main() {}
