package oss

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	vendor "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// headers are those that the vendor's signer sets.
var headers = [...]string{"Authorization", "Date", "X-Oss-Content-Sha256", "X-Oss-Date", "X-Oss-Security-Token"}

type signer struct {
	scheme.Name
	keys           *credentials.Credentials
	region, bucket string
}

// Sign implements sign.Signer. OSS knows no signatures over the body: over http a body needs the header Content-MD5,
// which is signed.
func (s *signer) Sign(ctx context.Context, req *http.Request, payload sign.Payload) error {
	if req.URL.Scheme != "https" && payload.Size() != 0 && req.Header.Get("Content-Md5") == "" {
		return storagedriver.NewError(storagedriver.KindDenied, "OSS signs no bodies, and one is not sent unsigned over http: set Content-MD5, or use an origin of https")
	}
	signing, err := s.signing(req)
	if err != nil {
		return err
	}
	if err := (&vendor.SignerV4{}).Sign(ctx, signing); err != nil {
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "the request cannot be signed")
	}
	for _, name := range headers {
		if v := signing.Request.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	return nil
}

// signing is what the vendor's signer wants, with a copy of req, which it writes into.
func (s *signer) signing(req *http.Request) (*vendor.SigningContext, error) {
	query, err := scheme.Query(req.URL)
	if err != nil {
		return nil, err
	}
	product, keys := "oss", *s.keys
	c := &vendor.SigningContext{Product: &product, Region: &s.region, Request: req.Clone(req.Context()), Credentials: &keys}
	if c.Request.Header == nil {
		c.Request.Header = http.Header{}
	}
	c.Request.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	c.Request.URL.RawPath = scheme.Escape(req.URL.Path)
	bucket, key := s.object(req.URL)
	if bucket != "" {
		c.Bucket = &bucket
	}
	if key != "" {
		c.Key = &key
	}
	return c, nil
}

// object returns the bucket and the key of a URL.
func (s *signer) object(u *url.URL) (bucket, key string) {
	path := strings.TrimPrefix(u.Path, "/")
	if s.bucket != "" {
		return s.bucket, path
	}
	if first, rest, found := strings.Cut(u.Hostname(), "."); found && strings.HasPrefix(rest, "oss-") && strings.HasSuffix(rest, ".aliyuncs.com") {
		return first, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// Presign implements sign.Signer. The body of such a request is unsigned: over http there are such URLs for GET
// and HEAD only.
func (s *signer) Presign(ctx context.Context, req *http.Request, valid time.Duration) (string, error) {
	if req.URL.Scheme != "https" && req.Method != http.MethodGet && req.Method != http.MethodHead {
		return "", storagedriver.Errorf(storagedriver.KindDenied, "no presigned URL for %s over http: its body would be unsigned", req.Method)
	}
	seconds, err := scheme.Seconds(valid)
	if err != nil {
		return "", err
	}
	signing, err := s.signing(req)
	if err != nil {
		return "", err
	}
	signing.AuthMethodQuery = true
	signing.Time = time.Now().Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
	if err := (&vendor.SignerV4{}).Sign(ctx, signing); err != nil {
		return "", storagedriver.NewError(storagedriver.KindInvalidArgument, "the request cannot be signed")
	}
	return signing.Request.URL.String(), nil
}

// Owns implements sign.Signer.
func (s *signer) Owns() []string {
	return append(headers[:len(headers):len(headers)],
		"?x-oss-additional-headers", "?x-oss-credential", "?x-oss-date", "?x-oss-expires", "?x-oss-security-token", "?x-oss-signature", "?x-oss-signature-version")
}

// Sent implements sign.Signer: the security token.
func (s *signer) Sent() []string {
	if s.keys.SecurityToken == "" {
		return nil
	}
	return []string{s.keys.SecurityToken}
}

// Secrets implements sign.Signer.
func (s *signer) Secrets() []string { return append(s.Sent(), s.keys.AccessKeySecret) }
