package servers

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// S3 is a running S3 service and its administrator.
type S3 struct {
	URL, AccessKey, SecretKey string
	// CAFile is a PEM file with the certificate of a service that speaks TLS; "" otherwise.
	CAFile string

	http *http.Client // trusts CAFile; nil without
}

// Region is that of the services that StartS3 starts.
const Region = "us-east-1"

// StartS3 starts the service called name, versitygw or minio, whose program the environment names in
// BERTH_VERSITYGW or BERTH_MINIO; otherwise it is looked for in PATH.
func StartS3(t testing.TB, name, variable string) S3 {
	t.Helper()
	return StartS3With(t, name, variable, S3Options{})
}

// MakeBucket makes an empty bucket. It waits for a service that has begun to listen before it is ready.
func MakeBucket(t testing.TB, s S3, bucket string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/"+bucket, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Content-Sha256", emptyHash)
		keys := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, emptyHash, "s3", Region, time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, err := s.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("PUT %s: %s: %s", r.URL, resp.Status, said)
		}
	}
}

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
