package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/registry"
)

// A registry on any storage driver is an http.Handler.
func ExampleNewHandler() {
	d := layers.Complete(inmemory.New())
	defer d.Close()
	config := registry.DefaultConfig("127.0.0.1:0", "unused")
	config.Log.Level = "error"
	handler, err := registry.NewHandler(context.Background(), d, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()

	response, err := http.Get(server.URL + "/v2/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status, response.Header.Get("Docker-Distribution-Api-Version"))
	// Output: 200 OK registry/2.0
}
