package inmemory_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// Two drivers on one memory see each other's content, as two processes do on one server.
func ExampleNew() {
	ctx := context.Background()
	memory := inmemory.New()
	one, other := layers.Complete(memory), layers.Complete(memory)
	defer other.Close()
	fmt.Println(one.PutContent(ctx, "/a", []byte("shared")), one.Close())
	content, err := other.GetContent(ctx, "/a")
	fmt.Println(string(content), err)
	// Output:
	// <nil> <nil>
	// shared <nil>
}
