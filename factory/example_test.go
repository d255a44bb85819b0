package factory_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"

	// A third party's driver, which registers itself in its init function.
	_ "github.com/berth-dev/storagedriver/factory/internal/thirdparty"
)

// A third party's driver that registers itself is reached by a blank import and the
// functions on the default registry.
func ExampleCreate() {
	ctx := context.Background()
	d, err := factory.Create(ctx, "thirdparty", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	if err := d.PutContent(ctx, "/hello", []byte("world")); err != nil {
		fmt.Println(err)
		return
	}
	content, err := d.GetContent(ctx, "/hello")
	fmt.Println(string(content), err)
	// Output: world <nil>
}

// A program that composes its own registry depends on nobody's init function.
func ExampleRegistry() {
	var registry factory.Registry
	registry.Register("inmemory", factory.FromOpen("inmemory", inmemory.Open))

	_, err := registry.Create(context.Background(), "inmemori", nil)
	fmt.Println(err)
	// Output: no storage driver "inmemori": registered are inmemory; no folder is searched for drivers in files: correct the name, or give the Registry a SearchPath and loaders
}
