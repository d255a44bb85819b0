package swift

import (
	"context"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/token"
)

// Config is one credential.
type Config struct {
	// AuthURL is Keystone's, with its version: "https://keystone:5000/v3". For version 1 it is that of Swift's
	// authentication: "https://swift/auth/v1.0".
	AuthURL string `parameter:"authurl"`
	// AuthVersion is 3, which is also 0, or 1.
	AuthVersion int `parameter:"authversion"`

	// Username and Password are the user's; of version 1 they are X-Auth-User and X-Auth-Key.
	Username string         `parameter:"username"`
	Password factory.Secret `parameter:"password,secret"`
	// UserID names the user in place of Username and the domain.
	UserID string `parameter:"userid"`
	// Domain or DomainID is the user's. Default: the one whose ID is "default".
	Domain   string `parameter:"domain"`
	DomainID string `parameter:"domainid"`
	// Project or ProjectID is the project that the token is for; not of application credentials, which have one.
	Project   string `parameter:"project"`
	ProjectID string `parameter:"projectid"`
	// ProjectDomain or ProjectDomainID is the project's. Default: the user's.
	ProjectDomain   string `parameter:"projectdomain"`
	ProjectDomainID string `parameter:"projectdomainid"`

	// ApplicationCredentialID and ApplicationCredentialSecret replace user and project.
	ApplicationCredentialID     string         `parameter:"applicationcredentialid"`
	ApplicationCredentialSecret factory.Secret `parameter:"applicationcredentialsecret,secret"`

	// TempURLKey is a key of the account's or the container's (X-Account-Meta-Temp-URL-Key); without it there are no presigned URLs.
	TempURLKey factory.Secret `parameter:"tempurlkey,secret"`
	// TempURLDigest is that of TempURLs: "sha256", which is also "", "sha512" or "sha1".
	TempURLDigest string `parameter:"tempurldigest"`
}

// New returns a Signer that asks for tokens through do. do should follow no redirects; of an *http.Client none are followed. The
// first token is fetched when the first request is signed. A parameter that is wrong is KindInvalidArgument.
func New(ctx context.Context, cfg Config, do sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var wrong scheme.Wrong
	wrong.Check(scheme.ServerURL(cfg.AuthURL), "authurl", scheme.MustURL)
	wrong.Check(do != nil, "authurl", "needs a client that may ask the server, and none was given")
	digest, known := digests[cfg.TempURLDigest]
	wrong.Check(known, "tempurldigest", `must be "sha256", "sha512" or "sha1"`)
	s := &signer{Name: "swift", cfg: cfg, digest: digest}
	s.cfg.AuthURL = strings.TrimSuffix(cfg.AuthURL, "/")
	fetch := s.fetchV3
	switch cfg.AuthVersion {
	case 0, 3:
		cfg.checkV3(&wrong)
	case 1:
		cfg.checkV1(&wrong)
		fetch = s.fetchV1
	default:
		wrong.Check(false, "authversion", "must be 3 or 1")
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	name := "Keystone"
	if cfg.AuthVersion == 1 {
		name = "Swift's authentication"
	}
	s.server = token.NewServer(name, do)
	s.tokens = token.NewSource(fetch)
	return s, nil
}

func (cfg *Config) checkV1(wrong *scheme.Wrong) {
	wrong.Check(cfg.Username != "" && httpguts.ValidHeaderFieldValue(cfg.Username), "username", "must be a user, such as account:user, without control characters")
	wrong.Check(cfg.Password.Reveal() != "" && httpguts.ValidHeaderFieldValue(cfg.Password.Reveal()), "password", "must be the user's key, without control characters")
	for _, p := range cfg.ofV3() {
		wrong.Check(p.value == "", p.name, "must not be set with version 1")
	}
}

func (cfg *Config) checkV3(wrong *scheme.Wrong) {
	if cfg.ApplicationCredentialID != "" || cfg.ApplicationCredentialSecret.Reveal() != "" {
		wrong.Check(cfg.ApplicationCredentialID != "", "applicationcredentialid", "must be the ID of the application credential")
		wrong.Check(cfg.ApplicationCredentialSecret.Reveal() != "", "applicationcredentialsecret", "must be the secret of the application credential")
		wrong.Check(cfg.Username == "", "username", "must not be set beside an application credential")
		wrong.Check(cfg.Password.Reveal() == "", "password", "must not be set beside an application credential")
		for _, p := range cfg.ofV3()[2:] {
			wrong.Check(p.value == "", p.name, "must not be set beside an application credential")
		}
		return
	}
	wrong.Check((cfg.Username == "") != (cfg.UserID == ""), "username", `must be a user's name, unless there is a "userid", or an application credential`)
	wrong.Check(cfg.Password.Reveal() != "", "password", "must be the user's password")
	wrong.Check(cfg.Domain == "" || cfg.DomainID == "", "domain", `must not be set beside "domainid"`)
	wrong.Check((cfg.Project == "") != (cfg.ProjectID == ""), "project", `must be a project's name, unless there is a "projectid"`)
	wrong.Check(cfg.ProjectDomain == "" || cfg.ProjectDomainID == "", "projectdomain", `must not be set beside "projectdomainid"`)
}

type parameter struct{ name, value string }

// ofV3 are the parameters that only version 3 has.
func (cfg *Config) ofV3() []parameter {
	return []parameter{
		{"applicationcredentialid", cfg.ApplicationCredentialID}, {"applicationcredentialsecret", cfg.ApplicationCredentialSecret.Reveal()},
		{"userid", cfg.UserID}, {"domain", cfg.Domain}, {"domainid", cfg.DomainID}, {"project", cfg.Project}, {"projectid", cfg.ProjectID},
		{"projectdomain", cfg.ProjectDomain}, {"projectdomainid", cfg.ProjectDomainID},
	}
}
