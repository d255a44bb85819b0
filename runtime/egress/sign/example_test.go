package sign_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// What is to be sent gets the token. Whoever prints the signer, or what it was made of, does not.
func ExampleNewBearer() {
	token := factory.NewSecret("mF_9.B5f-4.1JqM")
	signer, err := sign.NewBearer(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://registry.example.com/v2/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := signer.Sign(context.Background(), req, suite.Payload{}); err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range signer.Owns() {
		kind, sent, _ := strings.Cut(req.Header.Get(name), " ")
		fmt.Println(name, kind, sent == token.Reveal())
	}
	fmt.Printf("%+v %+v\n", signer, token)

	_, err = sign.NewBearer(factory.NewSecret("two words"))
	fmt.Println(err)
	// Output:
	// Authorization Bearer true
	// bearer (secret)
	// invalid argument: parameter "token" must be a token: without spaces, line ends and control characters
}
