package chunked_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// Writers draw on a budget that bounds the memory of all of them. Programs get them from the gate;
// who calls Open validates the path first.
func Example() {
	ctx := context.Background()
	b := inmemory.New()
	w, err := chunked.Open(ctx, b, "/blob", false, chunked.Options{Budget: chunked.NewBudget(64 << 20), PartSize: 16 << 20, Parallel: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	fmt.Fprint(w, "content")
	fmt.Println(w.Size(), w.Commit(ctx))

	d := layers.Complete(b)
	defer d.Close()
	content, err := d.GetContent(ctx, "/blob")
	fmt.Println(string(content), err)
	// Output:
	// 7 <nil>
	// content <nil>
}
