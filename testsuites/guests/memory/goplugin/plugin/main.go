// Command plugin is the driver of package memory as a plugin of hashicorp/go-plugin.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/berth-dev/storagedriver/testsuites/guests/memory"
	"github.com/berth-dev/storagedriver/testsuites/guests/memory/goplugin"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

func main() {
	b, err := native.Open(memory.Manifest(), memory.Open)(context.Background(), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goplugin.Main(b)
}
