package sign

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// fixed sets one header, to the same value always.
type fixed struct {
	scheme.Name
	header  string
	value   factory.Secret
	secrets []factory.Secret
}

// NewBearer returns a Signer that sends token as a bearer token (RFC 6750). It has no presigned URLs. A token
// that a header cannot have is KindInvalidArgument.
func NewBearer(token factory.Secret) (Signer, error) {
	var wrong scheme.Wrong
	text := token.Reveal()
	wrong.Check(text != "" && !strings.ContainsAny(text, " \t") && httpguts.ValidHeaderFieldValue(text), "token", "must be a token: without spaces, line ends and control characters")
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return &fixed{"bearer", "Authorization", factory.NewSecret("Bearer " + text), []factory.Secret{token}}, nil
}

// NewBasic returns a Signer that sends user and password by the basic scheme (RFC 7617). It has no presigned
// URLs. A user with a colon, and control characters, are KindInvalidArgument.
func NewBasic(user string, password factory.Secret) (Signer, error) {
	var wrong scheme.Wrong
	text := password.Reveal()
	wrong.Check(user != "" && !strings.Contains(user, ":") && httpguts.ValidHeaderFieldValue(user), "username", "must be a name without colons and control characters")
	wrong.Check(text != "" && httpguts.ValidHeaderFieldValue(text), "password", "must be a password without control characters")
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	pair := user + ":" + text
	encoded := base64.StdEncoding.EncodeToString([]byte(pair))
	return &fixed{"basic", "Authorization", factory.NewSecret("Basic " + encoded), []factory.Secret{password, factory.NewSecret(pair), factory.NewSecret(encoded)}}, nil
}

// NewHeader returns a Signer that sends the header name with value, for services with keys of
// their own, such as "X-Api-Key". It has no presigned URLs. A name or a value that a header cannot have, and headers that
// speak of the message or the connection, are KindInvalidArgument.
func NewHeader(name string, value factory.Secret) (Signer, error) {
	var wrong scheme.Wrong
	text := value.Reveal()
	name = textproto.CanonicalMIMEHeaderKey(name)
	wrong.Check(httpguts.ValidHeaderFieldName(name) && !ofMessage(name), "name", "must be the name of a header, and not of one that speaks of the message or the connection")
	wrong.Check(text != "" && strings.TrimSpace(text) == text && httpguts.ValidHeaderFieldValue(text), "value", "must be a value that a header can have: without line ends, control characters and spaces around it")
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return &fixed{"header", name, value, []factory.Secret{value}}, nil
}

func ofMessage(name string) bool {
	switch name {
	case "Host", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Http2-Settings", "Expect", "Range", "User-Agent":
		return true
	}
	for _, prefix := range []string{"Accept", "Content-", "If-", "Proxy-", "Transfer-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Sign implements Signer.
func (f *fixed) Sign(_ context.Context, req *http.Request, _ Payload) error {
	req.Header.Set(f.header, f.value.Reveal())
	return nil
}

// Presign implements Signer.
func (f *fixed) Presign(context.Context, *http.Request, time.Duration) (string, error) {
	return "", storagedriver.Errorf(storagedriver.KindUnsupported, "the scheme %v has no presigned URLs", f.Name)
}

// Owns implements Signer.
func (f *fixed) Owns() []string { return []string{f.header} }

// Sent implements Signer.
func (f *fixed) Sent() []string {
	out := make([]string, len(f.secrets))
	for i, s := range f.secrets {
		out[i] = s.Reveal()
	}
	return out
}

// Secrets implements Signer.
func (f *fixed) Secrets() []string { return f.Sent() }
