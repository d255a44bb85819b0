package retry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/berth-dev/storagedriver/layers/retry"
)

// The first two calls of a backend fail for a while, and nobody notices.
func ExampleNew() {
	rules, err := fault.Parse("fail before unavailable temporary on Put calls 1-2")
	if err != nil {
		fmt.Println(err)
		return
	}
	b := retry.New(fault.New(inmemory.New(), rules), retry.Config{Attempts: 3, Wait: time.Millisecond})
	d := layers.Complete(b)
	defer d.Close()
	fmt.Println(d.PutContent(context.Background(), "/hello", []byte("world")))
	// Output: <nil>
}
