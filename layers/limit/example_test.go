package limit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/limit"
)

// A Read keeps its place until its body is closed; who finds none waits as long as its context lasts.
func ExampleNew() {
	ctx := context.Background()
	b := limit.New(inmemory.New(), limit.Config{Concurrency: 2})
	defer b.Close()
	if err := b.Put(ctx, "/hello", storagedriver.BytesSource("world")); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		body, _, err := b.Read(ctx, "/hello", 0, -1)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer body.Close()
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err := b.Stat(short, "/hello")
	fmt.Println(err)
	// Output: context deadline exceeded
}
