package runtime_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"golang.org/x/net/webdav"
)

// A driver in a .wasm file, on a WebDAV server. It reaches the origin it was allowed and nothing else.
func ExampleLoad() {
	ctx := context.Background()
	server := httptest.NewServer(&webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()})
	defer server.Close()
	file, err := guestbuild.Build(ctx, "webdav") // make guests
	if err != nil {
		fmt.Println(err)
		return
	}

	module, err := runtime.Load(ctx, file, runtime.Config{Allow: egress.Origins(server.URL)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer module.Close(ctx)
	backend, err := module.Open(ctx, map[string]any{"endpoint": server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := layers.Complete(backend)
	defer d.Close()
	fmt.Println(d.PutContent(ctx, "/a", []byte("through the sandbox")))
	content, err := d.GetContent(ctx, "/a")
	fmt.Println(d.Name(), string(content), err)
	// Output:
	// <nil>
	// webdav through the sandbox <nil>
}
