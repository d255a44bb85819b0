package swift

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// defaultLife is that of a token of version 1 whose server does not say; tempauth's own default is a day.
const defaultLife = time.Hour

// The request for a token (Identity API v3, POST /v3/auth/tokens).
type (
	authRequest struct {
		Auth auth `json:"auth"`
	}
	auth struct {
		Identity identity `json:"identity"`
		Scope    *scope   `json:"scope,omitempty"`
	}
	identity struct {
		Methods               []string   `json:"methods"`
		Password              *password  `json:"password,omitempty"`
		ApplicationCredential *appSecret `json:"application_credential,omitempty"`
	}
	password struct {
		User user `json:"user"`
	}
	user struct {
		ID       string  `json:"id,omitempty"`
		Name     string  `json:"name,omitempty"`
		Domain   *domain `json:"domain,omitempty"`
		Password string  `json:"password"`
	}
	domain struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	appSecret struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	}
	scope struct {
		Project project `json:"project"`
	}
	project struct {
		ID     string  `json:"id,omitempty"`
		Name   string  `json:"name,omitempty"`
		Domain *domain `json:"domain,omitempty"`
	}
)

func (cfg *Config) request() authRequest {
	if cfg.ApplicationCredentialID != "" {
		return authRequest{auth{Identity: identity{
			Methods:               []string{"application_credential"},
			ApplicationCredential: &appSecret{cfg.ApplicationCredentialID, cfg.ApplicationCredentialSecret.Reveal()},
		}}}
	}
	owner := &domain{ID: cfg.DomainID, Name: cfg.Domain}
	if *owner == (domain{}) {
		owner.ID = "default"
	}
	u := user{ID: cfg.UserID, Name: cfg.Username, Password: cfg.Password.Reveal()}
	if u.ID == "" {
		u.Domain = owner
	}
	p := project{ID: cfg.ProjectID, Name: cfg.Project}
	if p.ID == "" {
		p.Domain = &domain{ID: cfg.ProjectDomainID, Name: cfg.ProjectDomain}
		if *p.Domain == (domain{}) {
			p.Domain = owner
		}
	}
	return authRequest{auth{Identity: identity{Methods: []string{"password"}, Password: &password{u}}, Scope: &scope{p}}}
}

// fetchV3 gets a token from Keystone.
func (s *signer) fetchV3(ctx context.Context) (string, time.Time, error) {
	body, err := json.Marshal(s.cfg.request())
	if err != nil {
		return "", time.Time{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.AuthURL+"/auth/tokens", bytes.NewReader(body))
	if err != nil {
		return "", time.Time{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := s.server.RoundTrip(req)
	if err != nil {
		return "", time.Time{}, err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", time.Time{}, s.server.Status(resp)
	}
	var answer struct {
		Token struct {
			ExpiresAt time.Time `json:"expires_at"`
		} `json:"token"`
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(text, &answer) != nil {
		return "", time.Time{}, s.server.Unusable("something that is not the JSON of a token: is it Keystone's URL, with its version?")
	}
	if answer.Token.ExpiresAt.IsZero() {
		return "", time.Time{}, s.server.Unusable(`a token without "expires_at"`)
	}
	t, err := s.tokenOf(resp, "X-Subject-Token")
	return t, answer.Token.ExpiresAt, err
}

// fetchV1 gets a token from Swift itself.
func (s *signer) fetchV1(ctx context.Context) (string, time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.AuthURL, nil)
	if err != nil {
		return "", time.Time{}, err
	}
	req.Header.Set("X-Auth-User", s.cfg.Username)
	req.Header.Set("X-Auth-Key", s.cfg.Password.Reveal())
	resp, err := s.server.RoundTrip(req)
	if err != nil {
		return "", time.Time{}, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", time.Time{}, s.server.Status(resp)
	}
	life := defaultLife
	if text := resp.Header.Get("X-Auth-Token-Expires"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return "", time.Time{}, s.server.Unusable("an X-Auth-Token-Expires that is not a number of seconds")
		}
		life = time.Duration(seconds) * time.Second
	}
	t, err := s.tokenOf(resp, "X-Auth-Token")
	return t, time.Now().Add(life), err
}

// tokenOf returns the token in a header of resp.
func (s *signer) tokenOf(resp *http.Response, header string) (string, error) {
	t := resp.Header.Get(header)
	if t == "" {
		return "", s.server.Unusable("no " + header)
	}
	if !scheme.Graphic(t) {
		return "", s.server.Unusable("a token that a header cannot have")
	}
	return t, nil
}
