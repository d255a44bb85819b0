package swift

import (
	"context"
	"net/http"
	"time"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/token"
)

const tokenHeader = "X-Auth-Token"

type signer struct {
	scheme.Name
	cfg    Config
	digest digest
	server *token.Server
	tokens *token.Source[string]
}

var _ sign.Rejecter = (*signer)(nil)

// Sign implements sign.Signer.
func (s *signer) Sign(ctx context.Context, req *http.Request, _ sign.Payload) error {
	t, err := s.tokens.Get(ctx)
	if err != nil {
		return err
	}
	req.Header.Set(tokenHeader, t)
	return nil
}

// Rejected implements sign.Rejecter.
func (s *signer) Rejected(req *http.Request) {
	if t := req.Header.Get(tokenHeader); t != "" {
		s.tokens.Reject(t)
	}
}

// Presign implements sign.Signer: a TempURL.
func (s *signer) Presign(ctx context.Context, req *http.Request, valid time.Duration) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.tempURL(req, valid)
}

// Owns implements sign.Signer.
func (s *signer) Owns() []string {
	return []string{tokenHeader, "?temp_url_expires", "?temp_url_ip_range", "?temp_url_prefix", "?temp_url_sig"}
}

// Sent implements sign.Signer: the token in use, those before it as long as they may be good, and the key of TempURLs, which Swift shows
// in the metadata of the account or the container that it is set on.
func (s *signer) Sent() []string {
	out := s.tokens.All()
	if key := s.cfg.TempURLKey.Reveal(); key != "" {
		out = append(out, key)
	}
	return out
}

// Secrets implements sign.Signer.
func (s *signer) Secrets() []string {
	out := s.Sent()
	for _, secret := range []factory.Secret{s.cfg.Password, s.cfg.ApplicationCredentialSecret} {
		if text := secret.Reveal(); text != "" {
			out = append(out, text)
		}
	}
	return out
}
