package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// signerV2 signs with AWS Signature Version 2, an HMAC-SHA1 over the method, some headers and the resource, in the places
// where the SDK asks for a signature of version 4.
type signerV2 struct{ bucket string }

// resources are the queries that are part of what is signed: they say of which part of a resource the request is.
var resources = []string{
	"acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// What the SDK puts into requests for signatures of version 4.
const (
	payloadHeader = "X-Amz-Content-Sha256"
	tokenHeader   = "X-Amz-Security-Token"
	expiresQuery  = "X-Amz-Expires"
	dateHeader    = "X-Amz-Date"
	operation     = "x-id"
)

// SignHTTP implements s3.HTTPSignerV4.
func (s *signerV2) SignHTTP(ctx context.Context, keys aws.Credentials, r *http.Request, _, _, _ string, at time.Time, _ ...func(*v4.SignerOptions)) error {
	r.Header.Del(payloadHeader)
	r.Header.Set(dateHeader, at.UTC().Format(http.TimeFormat))
	if keys.SessionToken != "" {
		r.Header.Set(tokenHeader, keys.SessionToken)
	}
	signature := sign(keys.SecretAccessKey, s.text(ctx, r, ""))
	r.Header.Set("Authorization", "AWS "+keys.AccessKeyID+":"+signature)
	return nil
}

// PresignHTTP implements s3.HTTPPresignerV4.
func (s *signerV2) PresignHTTP(ctx context.Context, keys aws.Credentials, r *http.Request, _, _, _ string, at time.Time, _ ...func(*v4.SignerOptions)) (string, http.Header, error) {
	r.Header.Del(payloadHeader)
	query := r.URL.Query()
	seconds, err := strconv.ParseInt(query.Get(expiresQuery), 10, 64)
	if err != nil {
		return "", nil, err
	}
	expires := strconv.FormatInt(at.Unix()+seconds, 10)
	for name := range query {
		if name == operation || strings.HasPrefix(name, "X-Amz-") {
			query.Del(name)
		}
	}
	signed := amzHeaders(r.Header)
	if keys.SessionToken != "" { // it is signed as a header and sent as a query
		r.Header.Set(tokenHeader, keys.SessionToken)
		query.Set("x-amz-security-token", keys.SessionToken)
	}
	r.URL.RawQuery = query.Encode()
	signature := sign(keys.SecretAccessKey, s.text(ctx, r, expires))
	query.Set("AWSAccessKeyId", keys.AccessKeyID)
	query.Set("Expires", expires)
	query.Set("Signature", signature)
	r.URL.RawQuery = query.Encode()
	headers := http.Header{}
	for _, name := range signed {
		headers[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
	}
	return r.URL.String(), headers, nil
}

// text is what is signed. date is the end of a presigned URL; a request's own is among the headers.
func (s *signerV2) text(ctx context.Context, r *http.Request, date string) string {
	var b strings.Builder
	for _, line := range []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date} {
		b.WriteString(line + "\n")
	}
	for _, name := range amzHeaders(r.Header) {
		values := r.Header.Values(name)
		for i, v := range values {
			values[i] = strings.TrimSpace(v)
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	if inHost(ctx) {
		b.WriteString("/" + s.bucket)
	}
	b.WriteString(r.URL.EscapedPath() + subresource(r.URL.Query()))
	return b.String()
}

// amzHeaders lists the headers that are signed, in small letters and ascending.
func amzHeaders(header http.Header) []string {
	var out []string
	for name := range header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// subresource is the part of a query that is signed, without escapes.
func subresource(query url.Values) string {
	var out []string
	for _, name := range resources {
		for _, value := range query[name] {
			if value != "" {
				value = "=" + value
			}
			out = append(out, name+value)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "?" + strings.Join(out, "&")
}

func sign(secret, text string) string {
	hash := hmac.New(sha1.New, []byte(secret))
	hash.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(hash.Sum(nil))
}

// inHostKey is the key of whether the bucket is in the host of the endpoint: it is signed as the first name of the path then.
type inHostKey struct{}

func inHost(ctx context.Context) bool {
	in, _ := middleware.GetStackValue(ctx, inHostKey{}).(bool)
	return in
}

// forVersion2 tells the signer where the bucket is, and computes no hash of bodies, of which version 2 has none.
func forVersion2(bucket string) func(*middleware.Stack) error {
	note := afterEndpoint("s3:bucket", func(ctx context.Context, r *smithyhttp.Request) context.Context {
		return middleware.WithStackValue(ctx, inHostKey{}, strings.HasPrefix(r.URL.Host, bucket+"."))
	})
	return func(stack *middleware.Stack) error {
		if err := v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack); err != nil {
			return err
		}
		return note(stack)
	}
}
