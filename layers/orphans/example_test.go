package orphans_test

import (
	"context"
	"fmt"
	"time"

	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/orphans"
)

// An upload that nobody goes on with stays until somebody removes it.
func Example() {
	ctx := context.Background()
	backend := &chunkedtest.Memory{}
	d := layers.Complete(backend)
	defer d.Close()
	w, err := d.Writer(ctx, "/blobs/data", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(w, "half of it")
	fmt.Println(w.Close())

	yesterday := time.Now().Add(-24 * time.Hour)
	err = orphans.List(ctx, backend, "/", func(o orphans.Orphan) error {
		removed, err := orphans.Abort(ctx, backend, o, yesterday)
		fmt.Println(o.Kind, o.Path, o.Bytes, removed)
		return err
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// upload /blobs/data 10 true
	// <nil>
}
