package adapt_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// distribution's code sees a driver of its own, with its own error values.
func ExampleToDistribution() {
	ctx := context.Background()
	d := layers.Complete(inmemory.New())
	defer d.Close()
	theirs := adapt.ToDistribution(d)
	fmt.Println(theirs.PutContent(ctx, "/a", []byte("content")))
	_, err := theirs.GetContent(ctx, "/none")
	var missing driver.PathNotFoundError
	fmt.Println(errors.As(err, &missing), missing.Path)
	// Output:
	// <nil>
	// true /none
}
