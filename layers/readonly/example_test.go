package readonly_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/readonly"
)

func ExampleNew() {
	d := layers.Complete(readonly.New(inmemory.New()))
	defer d.Close()
	err := d.PutContent(context.Background(), "/hello", []byte("world"))
	fmt.Println(errors.Is(err, fs.ErrPermission))
	fmt.Println(err)
	// Output:
	// true
	// inmemory: PutContent /hello: permission denied: the configuration makes this driver read-only (layers.readonly)
}
