package oauth2_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oauth2"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// The first request fetches a token, and the ones after it have the same until it is about to end.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := r.BasicAuth()
		fmt.Println(id, "asks for", r.FormValue("grant_type"), r.FormValue("scope"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	signer, err := oauth2.New(context.Background(), oauth2.Config{
		TokenURL: server.URL + "/token", ClientID: "berth", ClientSecret: factory.NewSecret("open sesame"), Scopes: []string{"storage.read"},
	}, server.Client())
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		req, err := http.NewRequest("GET", "https://storage.example.com/blob", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = signer.Sign(context.Background(), req, suite.Payload{})
		fmt.Println(req.Header.Get("Authorization") == "Bearer "+signer.Sent()[0], err)
	}
	// Output:
	// berth asks for client_credentials storage.read
	// true <nil>
	// true <nil>
}
