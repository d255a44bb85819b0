package oauth2

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/token"
)

// Config is one client of a token server.
type Config struct {
	// TokenURL is the server's token endpoint.
	TokenURL string `parameter:"tokenurl"`
	// ClientID is the client's name there, which is not secret.
	ClientID string `parameter:"clientid"`
	// ClientSecret is the client's secret.
	ClientSecret factory.Secret `parameter:"clientsecret,secret"`
	// Scopes are what the token is to be good for; optional.
	Scopes []string `parameter:"scopes"`
	// Audience is the parameter "audience", which some servers want; optional.
	Audience string `parameter:"audience"`
	// AuthStyle is how the secret is sent: "header" (HTTP Basic), which is also "", or "params" (in the form).
	AuthStyle string `parameter:"authstyle"`
}

// New returns a Signer that asks the token server through do. do should follow no redirects; of an *http.Client none are
// followed. The first token is fetched when the first request is signed. A parameter that is wrong is KindInvalidArgument.
func New(ctx context.Context, cfg Config, do sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var wrong scheme.Wrong
	wrong.Check(scheme.ServerURL(cfg.TokenURL), "tokenurl", scheme.MustURL)
	wrong.Check(cfg.ClientID != "", "clientid", "must be the client's name at the token server")
	wrong.Check(cfg.ClientSecret.Reveal() != "", "clientsecret", "must be the client's secret at the token server")
	for _, scope := range cfg.Scopes {
		wrong.Check(scheme.Graphic(scope) && !strings.ContainsAny(scope, `"\`), "scopes", `must be a list of scopes: without spaces, quotes and backslashes`)
	}
	style := oauth2.AuthStyleInHeader
	switch cfg.AuthStyle {
	case "", "header":
	case "params":
		style = oauth2.AuthStyleInParams
	default:
		wrong.Check(false, "authstyle", `must be "header" or "params"`)
	}
	wrong.Check(do != nil, "tokenurl", "needs a client that may ask the server, and none was given")
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	client := &clientcredentials.Config{ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret.Reveal(), TokenURL: cfg.TokenURL, Scopes: cfg.Scopes, AuthStyle: style}
	if cfg.Audience != "" {
		client.EndpointParams = map[string][]string{"audience": {cfg.Audience}}
	}
	s := &signer{Name: "oauth2", client: client, server: token.NewServer("the token server", do)}
	s.http = &http.Client{Transport: s.server, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.tokens = token.NewSource(s.fetch)
	return s, nil
}
