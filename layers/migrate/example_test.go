package migrate_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/migrate"
)

// What is stored goes to the new store, what is on the old one is found, and copied behind.
func ExampleOpen() {
	ctx := context.Background()
	old, new := inmemory.New(), inmemory.New()
	_ = old.Put(ctx, "/a", storagedriver.BytesSource("stored before"))
	d, err := migrate.Open(ctx, migrate.Config{Old: old, New: new})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.PutContent(ctx, "/b", []byte("stored now")))
	content, err := d.GetContent(ctx, "/a")
	fmt.Println(string(content), err)
	fmt.Println(d.Copy(ctx, migrate.CopyOptions{}))
	state, err := migrate.Status(ctx, new)
	fmt.Println(state.Phase, state.Copied.Files, err)
	// Output:
	// <nil>
	// stored before <nil>
	// <nil>
	// verified 1 <nil>
}
