package fault_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/fault"
)

// The second put fails, although it has its effect: what an answer that gets lost looks like.
func Example() {
	ctx := context.Background()
	rules, err := fault.Parse("fail after unavailable temporary on Put call 2")
	if err != nil {
		fmt.Println(err)
		return
	}
	d := layers.Complete(fault.New(inmemory.New(), rules))
	defer d.Close()
	fmt.Println(d.PutContent(ctx, "/a", []byte("one")))
	fmt.Println(d.PutContent(ctx, "/a", []byte("two")) != nil)
	content, err := d.GetContent(ctx, "/a")
	fmt.Println(string(content), err)
	fmt.Println(rules[0], "fired", rules[0].Fired())
	// Output:
	// <nil>
	// true
	// two <nil>
	// fail after unavailable temporary on Put call 2 fired 1
}
