package stack_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers/readonly"
	"github.com/berth-dev/storagedriver/layers/retry"
	"github.com/berth-dev/storagedriver/layers/stack"
)

// A driver's parameters say which layers are around it, and a mistake is named.
func ExampleOpen() {
	var registry factory.Registry
	registry.Register("inmemory", factory.FromOpen("inmemory", stack.Open(inmemory.Open, stack.Observers{})))

	d, err := registry.Create(context.Background(), "inmemory", map[string]any{
		"layers": map[string]any{"retry": map[string]any{"attempts": 3}, "timeout": map[string]any{"operation": "30s"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.PutContent(context.Background(), "/hello", []byte("world")))

	_, err = registry.Create(context.Background(), "inmemory", map[string]any{
		"layers": map[string]any{"limit": map[string]any{"concurency": 3}},
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// inmemory: Open: invalid argument: layers.limit: unknown parameter "concurency": allowed are bodies, concurrency
}

// A program that composes layers itself has their order checked.
func ExampleBuild() {
	again := stack.Layer{Position: stack.Retry, Wrap: func(b storagedriver.Backend) storagedriver.Backend {
		return retry.New(b, retry.Config{})
	}}
	never := stack.Layer{Position: stack.ReadOnly, Wrap: readonly.New}

	_, err := stack.Build(inmemory.New(), again, never)
	fmt.Println(err)
	b, err := stack.Build(inmemory.New(), never, again)
	fmt.Println(b.Name(), err)
	// Output:
	// invalid argument: the layer retry is outside readonly: the order is readonly, tracing, metrics, retry, limit, timeout, fault, outermost first
	// inmemory <nil>
}
