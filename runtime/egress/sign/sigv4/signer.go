package sigv4

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"

	dateHeader    = "X-Amz-Date"
	payloadHeader = "X-Amz-Content-Sha256"
	tokenHeader   = "X-Amz-Security-Token"
)

type signer struct {
	scheme.Name
	keys            Provider
	v4              *v4.Signer
	region, service string
	s3              bool
}

func newSigner(name string, keys Provider, region, service string) *signer {
	s3 := service == "s3" || service == "s3-object-lambda" || service == "s3-outposts"
	return &signer{scheme.Name(name), keys, v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableHeaderHoisting = true // a presigned URL is used with the headers that it was made with
		o.DisableURIPathEscaping = s3
	}), region, service, s3}
}

// Sign implements sign.Signer.
func (s *signer) Sign(ctx context.Context, req *http.Request, payload sign.Payload) error {
	hash, err := s.hash(ctx, req, payload)
	if err != nil {
		return err
	}
	keys, err := s.keys.Retrieve(ctx)
	if err != nil {
		return err
	}
	signed, err := canonical(req)
	if err != nil {
		return err
	}
	if s.s3 {
		signed.Header.Set(payloadHeader, hash)
	}
	signed.URL.Scheme = "" // or the signer leaves out a default port that the Host header has
	if err := s.v4.SignHTTP(ctx, keys, signed, hash, s.service, s.region, time.Now()); err != nil {
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "the request cannot be signed")
	}
	for _, name := range []string{"Authorization", dateHeader, payloadHeader, tokenHeader} {
		if v := signed.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	return nil
}

// hash is what the signature says of the body.
func (s *signer) hash(ctx context.Context, req *http.Request, payload sign.Payload) (string, error) {
	sum, ok, err := payload.SHA256(ctx)
	switch {
	case err != nil:
		return "", err
	case ok:
		return hex.EncodeToString(sum[:]), nil
	case !s.s3:
		return "", storagedriver.Errorf(storagedriver.KindDenied, "the body can be read but once, and the service %s has no requests with an unsigned body: send it from memory, or give its SHA-256", s.service)
	case req.URL.Scheme != "https":
		return "", storagedriver.NewError(storagedriver.KindDenied, "the body can be read but once, and is not sent unsigned over http: send it from memory, give its SHA-256, or use an origin of https")
	}
	return unsignedPayload, nil
}

// canonical returns a copy of req for the signer, which writes into what it signs, with the path as
// servers write it when they check.
func canonical(req *http.Request) (*http.Request, error) {
	if _, err := scheme.Query(req.URL); err != nil {
		return nil, err
	}
	signed := req.Clone(req.Context())
	if signed.Header == nil {
		signed.Header = http.Header{}
	}
	signed.URL.RawPath = scheme.Escape(signed.URL.Path)
	return signed, nil
}

// Presign implements sign.Signer. The body of such a request is unsigned: over http there are such URLs
// for GET and HEAD only.
func (s *signer) Presign(ctx context.Context, req *http.Request, valid time.Duration) (string, error) {
	if !s.s3 {
		return "", storagedriver.Errorf(storagedriver.KindUnsupported, "presigned URLs are those of S3, not of the service %s", s.service)
	}
	if req.URL.Scheme != "https" && req.Method != http.MethodGet && req.Method != http.MethodHead {
		return "", storagedriver.Errorf(storagedriver.KindDenied, "no presigned URL for %s over http: its body would be unsigned", req.Method)
	}
	seconds, err := scheme.Seconds(valid)
	if err != nil {
		return "", err
	}
	keys, err := s.keys.Retrieve(ctx)
	if err != nil {
		return "", err
	}
	signed, err := canonical(req)
	if err != nil {
		return "", err
	}
	if port := signed.URL.Port(); port == "443" && signed.URL.Scheme == "https" || port == "80" && signed.URL.Scheme == "http" {
		signed.URL.Host = strings.TrimSuffix(signed.URL.Host, ":"+port) // as browsers do, and the signer
		signed.Host = ""
	}
	q := signed.URL.Query()
	q.Set("X-Amz-Expires", strconv.FormatInt(seconds, 10))
	signed.URL.RawQuery = q.Encode()
	url, _, err := s.v4.PresignHTTP(ctx, keys, signed, unsignedPayload, s.service, s.region, time.Now())
	if err != nil {
		return "", storagedriver.NewError(storagedriver.KindInvalidArgument, "the request cannot be signed")
	}
	return url, nil
}

// Owns implements sign.Signer.
func (s *signer) Owns() []string {
	return []string{
		"Authorization", dateHeader, payloadHeader, tokenHeader,
		"?X-Amz-Algorithm", "?X-Amz-Credential", "?X-Amz-Date", "?X-Amz-Expires", "?X-Amz-Security-Token", "?X-Amz-Signature", "?X-Amz-SignedHeaders",
	}
}

// Sent implements sign.Signer: the session token.
func (s *signer) Sent() []string {
	var out []string
	for _, k := range s.keys.Known() {
		if k.SessionToken != "" {
			out = append(out, k.SessionToken)
		}
	}
	return out
}

// Secrets implements sign.Signer.
func (s *signer) Secrets() []string {
	out := s.Sent()
	for _, k := range s.keys.Known() {
		out = append(out, k.SecretAccessKey)
	}
	return out
}
