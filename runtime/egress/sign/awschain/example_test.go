package awschain_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-dev/storagedriver/runtime/egress/sign/awschain"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// The keys are those of a profile in AWS's shared files. No server is asked: there is no client for that.
func Example() {
	dir, err := os.MkdirTemp("", "awschain")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	shared := filepath.Join(dir, "credentials")
	profile := "[registry]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
	if err := os.WriteFile(shared, []byte(profile), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	defer setenv("AWS_SHARED_CREDENTIALS_FILE", shared)()
	defer setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))()
	defer setenv("AWS_CA_BUNDLE", "")()

	signer, err := awschain.New(context.Background(), awschain.Config{Profile: "registry", Region: "eu-central-1"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := signer.Sign(context.Background(), req, suite.Payload{}); err != nil {
		fmt.Println(err)
		return
	}
	scope := strings.SplitN(req.Header.Get("Authorization"), "/", 3) // the algorithm and the key, the day, the rest
	rest, _, _ := strings.Cut(scope[2], ",")
	fmt.Println(scope[0], rest)

	_, err = awschain.New(context.Background(), awschain.Config{Profile: "mirror", Region: "eu-central-1"}, nil)
	fmt.Println(err)
	// Output:
	// AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE eu-central-1/s3/aws4_request
	// invalid argument: parameter "profile" must name a profile of AWS's shared files: there is no "mirror"
}

// setenv sets a variable and returns what sets it back.
func setenv(name, value string) func() {
	before, was := os.LookupEnv(name)
	os.Setenv(name, value)
	return func() {
		if was {
			os.Setenv(name, before)
		} else {
			os.Unsetenv(name)
		}
	}
}
