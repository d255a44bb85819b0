package suite_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// The test of a signer is this one.
func ExampleRun() {
	TestSuite := func(t *testing.T) {
		signer, err := sign.NewHeader("X-Api-Key", factory.NewSecret("open sesame"))
		if err != nil {
			t.Fatal(err)
		}
		suite.Run(t, suite.Case{Signer: signer, Secrets: []string{"open sesame"}})
	}
	_ = TestSuite // go test calls it
	// Output:
}

// A body that can be read but once has no digest to be signed.
func ExamplePayload() {
	signer, err := sigv4.New(context.Background(), sigv4.Config{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: factory.NewSecret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Region: "us-east-1"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, body := range []suite.Payload{{Content: "hello"}, {Content: "hello", Once: true}} {
		req, err := http.NewRequest("PUT", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = signer.Sign(context.Background(), req, body)
		fmt.Println(body.Size(), req.Header.Get("X-Amz-Content-Sha256"), err)
	}
	// Output:
	// 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 <nil>
	// -1 UNSIGNED-PAYLOAD <nil>
}
