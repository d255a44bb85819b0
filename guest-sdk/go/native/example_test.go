package native_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// One Host is one call: what a driver's method is given, outside a sandbox.
func ExampleNewHost() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer server.Close()
	client := native.NewClient()
	defer client.CloseIdleConnections()
	host := native.NewHost(context.Background(), client, nil)
	defer host.Close()
	r, err := berth.NewCall(host).HTTP(&berth.Request{Method: "GET", URL: server.URL, Max: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Status, string(r.Data))
	// Output: 200 hello
}
