package swift_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/swift"
)

// Requests have a token of Keystone's. A TempURL needs a key of the account's, and no token.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		w.Header().Set("X-Subject-Token", "gAAAAABexample")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":{"expires_at":%q}}`, time.Now().UTC().Add(time.Hour).Format(time.RFC3339))
	}))
	defer server.Close()
	signer, err := swift.New(context.Background(), swift.Config{
		AuthURL: server.URL + "/v3", Username: "berth", Password: factory.NewSecret("open sesame"), Project: "registry", TempURLKey: factory.NewSecret("swordfish"),
	}, server.Client())
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://swift.example.com/v1/AUTH_registry/container/object", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	presigned, err := signer.Presign(context.Background(), req, time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(presigned)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Path, u.Query().Has("temp_url_expires"), len(u.Query().Get("temp_url_sig")))

	err = signer.Sign(context.Background(), req, suite.Payload{})
	fmt.Println(req.Header.Get("X-Auth-Token") == signer.Sent()[0], err)
	// Output:
	// /v1/AUTH_registry/container/object true 64
	// POST /v3/auth/tokens
	// true <nil>
}
