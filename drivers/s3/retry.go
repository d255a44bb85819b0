package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

const (
	// firstPause is the longest before a request is sent a second time; each further one is at most twice as long.
	firstPause = 100 * time.Millisecond
	// firstThrottled is that for a service that is overloaded.
	firstThrottled = time.Second
	// maxPause bounds a pause, also one that the service asks for: who is asked to wait longer gets the error, which says how long.
	maxPause = 20 * time.Second
)

// newRetryer returns the SDK's standard one: it repeats what may succeed later, as long as the tokens last that all
// requests of a client share and successes refill.
func newRetryer(attempts int) aws.RetryerV2 {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(pause)
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(hopeless)}, o.Retryables...)
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
	})
}

// hopeless knows what is not repeated here, whatever the SDK takes it for: errors that a body's source gave, which is repeated
// by who opened it; certificates; and a service that asks to be left alone for long.
func hopeless(err error) aws.Ternary {
	var ours *storagedriver.Error
	if errors.As(err, &ours) || isUntrusted(err) || errors.Is(err, http.ErrSchemeMismatch) || retryAfter(err) > maxPause {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// isUntrusted reports whether err is that a certificate is not accepted.
func isUntrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		name         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// pause is how long to wait before a request is sent for the n-th time after the first: what the service says, or a random part of
// a bound that doubles.
func pause(n int, err error) (time.Duration, error) {
	if asked := retryAfter(err); asked > 0 {
		return min(asked, maxPause), nil
	}
	bound := firstPause
	if isThrottled(err) {
		bound = firstThrottled
	}
	for ; n > 1 && bound < maxPause; n-- {
		bound *= 2
	}
	return time.Duration(rand.Int64N(int64(min(bound, maxPause)) + 1)), nil
}

func isThrottled(err error) bool {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && (response.HTTPStatusCode() == http.StatusTooManyRequests || response.HTTPStatusCode() == http.StatusServiceUnavailable) {
		return true
	}
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// retryAfter is how long the service asked to be left alone, 0 when it did not say.
func retryAfter(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return 0
	}
	_, _, after := objects.Status(response.HTTPStatusCode(), response.Response.Header)
	return after
}
