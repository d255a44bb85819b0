package all_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/all"
	"github.com/berth-dev/storagedriver/factory"
)

// A program that takes a driver's name from a configuration registers all of them.
func ExampleRegister() {
	var drivers factory.Registry
	all.Register(&drivers)
	fmt.Println(drivers.Names())
	d, err := drivers.Create(context.Background(), "inmemory", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Name(), d.Close())
	// Output:
	// [filesystem inmemory s3 s3aws]
	// inmemory <nil>
}
