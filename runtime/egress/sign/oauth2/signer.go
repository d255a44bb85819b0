package oauth2

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/token"
)

// defaultLife is that of a token whose server does not say: the example of RFC 6749.
const defaultLife = time.Hour

type signer struct {
	scheme.Name
	client *clientcredentials.Config
	server *token.Server
	http   *http.Client
	tokens *token.Source[string]
}

var _ sign.Rejecter = (*signer)(nil)

// Sign implements sign.Signer.
func (s *signer) Sign(ctx context.Context, req *http.Request, _ sign.Payload) error {
	t, err := s.tokens.Get(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t)
	return nil
}

// fetch gets a token from the server.
func (s *signer) fetch(ctx context.Context) (string, time.Time, error) {
	t, err := s.client.Token(context.WithValue(ctx, oauth2.HTTPClient, s.http))
	if err != nil {
		return "", time.Time{}, s.fetchError(ctx, err)
	}
	if !strings.EqualFold(t.Type(), "Bearer") {
		return "", time.Time{}, s.server.Unusable("a token that is not a bearer token")
	}
	if !scheme.Graphic(t.AccessToken) {
		return "", time.Time{}, s.server.Unusable("a token that a header cannot have")
	}
	if t.Expiry.IsZero() {
		t.Expiry = time.Now().Add(defaultLife)
	}
	return t.AccessToken, t.Expiry, nil
}

// refusals are the errors of RFC 6749, section 5.2, by which a server refuses this client.
var refusals = []string{"invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "access_denied"}

// fetchError classifies an error of the library's, and leaves out the server's answer, which the library's text holds.
func (s *signer) fetchError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var retrieve *oauth2.RetrieveError
	var network *url.Error
	var classified *storagedriver.Error
	switch {
	case errors.As(err, &retrieve) && slices.Contains(refusals, retrieve.ErrorCode):
		return storagedriver.Errorf(storagedriver.KindPermission, "%s refused the client: %s", s.server.Name, retrieve.ErrorCode)
	case errors.As(err, &retrieve) && retrieve.Response.StatusCode >= 300:
		return s.server.Status(retrieve.Response)
	case errors.As(err, &classified):
		return classified
	case errors.As(err, &network):
		return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New(s.server.Name + " cannot be reached")}
	}
	return s.server.Unusable("something that has no token in it")
}

// Rejected implements sign.Rejecter.
func (s *signer) Rejected(req *http.Request) {
	if t, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
		s.tokens.Reject(t)
	}
}

// Presign implements sign.Signer.
func (s *signer) Presign(context.Context, *http.Request, time.Duration) (string, error) {
	return "", storagedriver.Errorf(storagedriver.KindUnsupported, "the scheme %v has no presigned URLs", s.Name)
}

// Owns implements sign.Signer.
func (s *signer) Owns() []string { return []string{"Authorization"} }

// Sent implements sign.Signer: the token in use, and those before it as long as they may be good.
func (s *signer) Sent() []string { return s.tokens.All() }

// Secrets implements sign.Signer.
func (s *signer) Secrets() []string { return append(s.Sent(), s.client.ClientSecret) }
