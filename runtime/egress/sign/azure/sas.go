package azure

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// sas appends a token to the query.
type sas struct {
	scheme.Name
	token factory.Secret
	owns  []string
	sent  []factory.Secret
}

// Sign implements sign.Signer.
func (s *sas) Sign(_ context.Context, req *http.Request, _ sign.Payload) error {
	if req.URL.RawQuery != "" {
		req.URL.RawQuery += "&"
	}
	req.URL.RawQuery += s.token.Reveal()
	return nil
}

// Presign implements sign.Signer.
func (s *sas) Presign(context.Context, *http.Request, time.Duration) (string, error) {
	return "", storagedriver.NewError(storagedriver.KindUnsupported, "a shared access signature makes no presigned URLs: they would give it away")
}

// Owns implements sign.Signer.
func (s *sas) Owns() []string { return slices.Clone(s.owns) }

// Sent implements sign.Signer.
func (s *sas) Sent() []string { return reveal(s.sent) }

// Secrets implements sign.Signer.
func (s *sas) Secrets() []string { return s.Sent() }

func reveal(secrets []factory.Secret) []string {
	out := make([]string, len(secrets))
	for i, s := range secrets {
		out[i] = s.Reveal()
	}
	return out
}
