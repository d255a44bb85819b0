package azure_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/azure"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// An account's key signs requests, and makes URLs with which anyone may read one blob.
func Example() {
	signer, err := azure.New(context.Background(), azure.Config{AccountName: "myaccount", AccountKey: factory.NewSecret("b3BlbiBzZXNhbWU=")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://myaccount.blob.core.windows.net/container/blob", nil)
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
	fmt.Printf("%s resource=%s permissions=%s protocol=%s\n", u.Path, u.Query().Get("sr"), u.Query().Get("sp"), u.Query().Get("spr"))

	if err := signer.Sign(context.Background(), req, suite.Payload{}); err != nil {
		fmt.Println(err)
		return
	}
	account, _, _ := strings.Cut(req.Header.Get("Authorization"), ":")
	fmt.Println(account, req.Header.Get("X-Ms-Date") != "")
	// Output:
	// /container/blob resource=b permissions=r protocol=https
	// SharedKey myaccount true
}

// A shared access signature is added to the query, with the parameters that it has.
func ExampleNew_sas() {
	signer, err := azure.New(context.Background(), azure.Config{SAS: factory.NewSecret("?sv=2022-11-02&sr=c&sp=rl&se=2030-01-01&sig=c2VzYW1l")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://myaccount.blob.core.windows.net/container?restype=container", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signer.Sign(context.Background(), req, suite.Payload{}))
	fmt.Println(len(req.Header), len(req.URL.Query()), req.URL.Query().Get("restype"), req.URL.Query().Get("sp"))
	// Output:
	// <nil>
	// 0 6 container rl
}
