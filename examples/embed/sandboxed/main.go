// Command sandboxed keeps an object with a driver in a .wasm file: sandboxed FILE.wasm ENDPOINT.
package main

import (
	"context"
	"errors"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"log"
	"os"
)

func run(ctx context.Context, file, endpoint string) error {
	module, err := runtime.Load(ctx, file, runtime.Config{Allow: []string{endpoint}}) // all that it may reach
	if err != nil {
		return err
	}
	backend, err := module.Open(ctx, map[string]any{"endpoint": endpoint})
	if err != nil {
		return errors.Join(err, module.Close(ctx))
	}
	d := layers.Complete(backend)
	return errors.Join(d.PutContent(ctx, "/greeting", []byte("hello from "+d.Name())), d.Close(), module.Close(ctx))
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
