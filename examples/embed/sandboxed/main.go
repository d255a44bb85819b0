// Command sandboxed keeps an object with a driver in a .wasm file: sandboxed FILE.wasm ENDPOINT.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

func run(ctx context.Context, file, endpoint string) error {
	config := runtime.Config{Allow: egress.Origins(endpoint)} // all that it may reach
	backend, err := runtime.Open(ctx, file, config, map[string]any{"endpoint": endpoint})
	if err != nil {
		return err
	}
	d := layers.Complete(backend)
	return errors.Join(d.PutContent(ctx, "/greeting", []byte("hello from "+d.Name())), d.Close())
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
