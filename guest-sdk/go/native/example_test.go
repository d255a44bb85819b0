package native_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

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

// A Config lends a driver what an operator would. The driver names it, here a secret to key a request with.
func ExampleConfig() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) }))
	defer server.Close()
	config := native.Config{Secrets: map[string]string{"account-key": "not to be seen"}}
	host := config.NewHost(context.Background())
	defer host.Close()
	c := berth.NewCall(host)

	day, err := c.FormatTime(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), berth.TimeDate)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := c.HMAC("account-key", berth.SHA256, []byte(day))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := c.HTTP(&berth.Request{Method: "GET", URL: server.URL, Max: 1000, Keyed: []berth.Keyed{
		{Name: "Authorization", Text: "Own v1 " + day + " " + berth.KeyMark, Key: key, Encoding: berth.Hex},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(r.Data[:40]))
	// Output: Own v1 20261121 9fdc4da471959aafd2510ef8
}
