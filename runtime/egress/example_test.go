package egress_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/berth-dev/storagedriver/runtime/egress"
)

// A client reaches the origins of its policy and no others.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer server.Close()
	policy, err := egress.NewPolicy(egress.Origins(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	client := egress.NewClient(egress.Config{
		Policy: policy, ConnectTimeout: time.Second, FirstByteTimeout: time.Second, IdleTimeout: time.Second, MaxIdleConns: 1,
	})
	defer client.Close()

	response, err := client.Do(context.Background(), &egress.Request{Method: "GET", URL: server.URL + "/greeting"})
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := io.ReadAll(response.Body)
	fmt.Println(response.Status, string(content), err, response.Body.Close())

	_, err = client.Do(context.Background(), &egress.Request{Method: "GET", URL: "http://169.254.169.254/latest/meta-data"})
	fmt.Println(err)
	// Output:
	// 200 hello <nil> <nil>
	// denied by policy: the origin http://169.254.169.254:80 is not allowed: allow it with --allow http://169.254.169.254:80, or under "allow" in the driver's configuration
}
