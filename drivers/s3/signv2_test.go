package s3

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// inHosts is the context of a request whose bucket is in the host.
func inHosts(in bool) context.Context {
	return middleware.WithStackValue(context.Background(), inHostKey{}, in)
}

// TestSignatureVersion2 has an example of AWS's documentation of it ("Signing and authenticating REST requests").
func TestSignatureVersion2(t *testing.T) {
	keys := aws.Credentials{AccessKeyID: testAccess, SecretAccessKey: testSecret}
	s := &signerV2{bucket: "johnsmith"}
	r, err := http.NewRequest("GET", "https://johnsmith.s3.amazonaws.com/photos/puppy.jpg?x-id=GetObject&X-Amz-Expires=620", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, headers, err := s.PresignHTTP(inHosts(true), keys, r, "", "s3", "us-west-1", time.Unix(1175139000, 0))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"AWSAccessKeyId": {testAccess}, "Expires": {"1175139620"}, "Signature": {"NpgCjnDzrM+WFzoENXmpNDUsSn8="}}
	if got := u.Query(); got.Encode() != want.Encode() || len(headers) != 0 {
		t.Errorf("got  %v %v\nwant %v", got, headers, want)
	}
}

func TestTextOfSignatureVersion2(t *testing.T) {
	keys := aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key", SessionToken: "token"}
	s := &signerV2{bucket: "b"}
	for _, c := range []struct {
		inHost bool
		url    string
		want   string
	}{
		{false, "http://h/b/a%20b/c?partNumber=2&uploadId=x%2Fy&x-id=UploadPart", "/b/a%20b/c?partNumber=2&uploadId=x/y"},
		{true, "http://b.h/k?uploads=", "/b/k?uploads"},
		{true, "http://b.h/?list-type=2&prefix=p", "/b/"},
		{false, "http://h/b?delete=", "/b?delete"},
		{false, "http://h/b/k?response-content-type=a%2Fb&versionId=1&zoo=1", "/b/k?response-content-type=a/b&versionId=1"},
	} {
		r, err := http.NewRequest("PUT", c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Content-MD5", "md5")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header["X-Amz-Meta-A"] = []string{"1 ", "2"}
		ctx := inHosts(c.inHost)
		if err := s.SignHTTP(ctx, keys, r, "", "", "", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		want := "PUT\nmd5\ntext/plain\n\nx-amz-date:Thu, 01 Jan 1970 00:00:00 GMT\nx-amz-meta-a:1,2\nx-amz-security-token:token\n" + c.want
		if got := s.text(ctx, r, ""); got != want {
			t.Errorf("%s:\n got %q\nwant %q", c.url, got, want)
		}
		if got := r.Header.Get("Authorization"); got != "AWS id:"+sign("key", want) {
			t.Errorf("Authorization: %s", got)
		}
		if got := r.Header.Get("X-Amz-Content-Sha256"); got != "" {
			t.Errorf("a hash of version 4 is sent: %s", got)
		}
	}
}
