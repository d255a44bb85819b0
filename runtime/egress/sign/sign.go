package sign

import (
	"context"
	"net/http"
	"time"
)

// Signer is one credential. It is bound to origins by whoever has it, asked for no others, and may
// be used concurrently.
type Signer interface {
	// Sign makes req prove the credential, just before it is sent. Method, URL, Host and Header
	// are final when it is called. It may set headers, and parameters of the query, that Owns
	// names, and changes nothing else. It does not read req.Body: payload has what
	// schemes want of the body. The context is that of the operation; renewing a token honours it.
	//
	// A body that the scheme can neither hash nor leave unsigned is KindDenied; a token that
	// cannot be had is KindUnavailable, or KindPermission when it was refused. Errors hold no secret.
	Sign(ctx context.Context, req *http.Request, payload Payload) error

	// Presign returns a URL with which anyone may make req, without further headers than those it
	// has, until valid has passed. Schemes without such URLs answer KindUnsupported.
	Presign(ctx context.Context, req *http.Request, valid time.Duration) (string, error)

	// Owns lists what Sign sets: headers in canonical form, and parameters of the query as "?name".
	// Drivers may set none of them in a request to an origin that the credential is bound to.
	Owns() []string

	// Sent returns the secrets that requests carry as they are, such as a token: a response that
	// shows one must not reach the driver. It is asked for after each Sign and may change when
	// a token is renewed; the ones before are in it as long as they may be good.
	Sent() []string

	// Secrets returns all that a driver must never learn, Sent included: they are taken out of errors,
	// logs and traces, and tests look for them.
	Secrets() []string
}

// Payload is what a scheme may want of a request's body.
type Payload interface {
	// SHA256 returns the SHA-256 of the body, of nothing if there is none. Without one that is known it
	// reads the body; ok is false when that can be read but once.
	SHA256(ctx context.Context) (sum [32]byte, ok bool, err error)
	// Size is the length of the body, 0 if there is none and -1 when it is not known.
	Size() int64
}

// Doer sends a request, for schemes that get their tokens from a server. *http.Client is one. It should not
// follow redirects, since the requests hold passwords in headers of their own; the schemes here see to it that an
// *http.Client does not. It may be used concurrently.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}
