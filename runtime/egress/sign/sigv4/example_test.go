package sigv4_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// A request is signed in its headers, or as a URL that is good for a while.
func Example() {
	signer, err := sigv4.New(context.Background(), sigv4.Config{
		AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: factory.NewSecret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Region: "eu-central-1",
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
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
	fmt.Println(u.Host, u.Path, u.Query().Get("X-Amz-Expires"), u.Query().Get("X-Amz-SignedHeaders"))

	if err := signer.Sign(context.Background(), req, suite.Payload{}); err != nil {
		fmt.Println(err)
		return
	}
	scope := strings.SplitN(req.Header.Get("Authorization"), "/", 3) // the algorithm and the key, the day, the rest
	rest, _, _ := strings.Cut(scope[2], ", Signature=")
	fmt.Println(scope[0])
	fmt.Println(rest)
	// Output:
	// examplebucket.s3.amazonaws.com /test.txt 3600 host
	// AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE
	// eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date
}

// One error names all parameters that are wrong, and shows none of them.
func ExampleNew() {
	_, err := sigv4.New(context.Background(), sigv4.Config{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: factory.NewSecret("a line\n")}, nil)
	fmt.Println(err)
	// Output:
	// invalid argument: parameter "secretkey" must be a secret access key: without spaces and line ends; parameter "region" must be a region, such as "us-east-1": letters, digits, "-" and "_"
}
