package registry_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/registry"
	"github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/crypto/bcrypt"
)

// withAuth is a client of a registry in memory with the auth section.
func withAuth(t *testing.T, section string) *client {
	t.Helper()
	return newClient(t, newStore(t), parse(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\nlog: {level: error}\nauth: "+section+"\n"))
}

func basic(user, password string) http.Header {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header
}

// passwords writes a file for htpasswd.
func passwords(t *testing.T, user, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s:%s\nmd5:$apr1$zzzz$yyyy\n", user, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHtpasswdLetsInWhoKnowsThePassword(t *testing.T) {
	c := withAuth(t, "{htpasswd: {realm: the realm, path: "+passwords(t, "user", "secret")+"}}")
	for name, header := range map[string]http.Header{
		"nobody": nil, "a wrong password": basic("user", "wrong"), "an unknown user": basic("other", "secret"),
		"a hash that is not bcrypt": basic("md5", "secret"), "another scheme": {"Authorization": {"Bearer secret"}},
	} {
		a := c.do(http.MethodGet, "/v2/", nil, header, http.StatusUnauthorized)
		if got := a.Header.Get("WWW-Authenticate"); got != `Basic realm="the realm"` {
			t.Errorf("%s: WWW-Authenticate: got %q", name, got)
		}
		if !strings.Contains(string(a.body), "UNAUTHORIZED") {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
	c.do(http.MethodPost, "/v2/a/blobs/uploads/", nil, nil, http.StatusUnauthorized)
	c.do(http.MethodGet, "/v2/", nil, basic("user", "secret"), http.StatusOK)
	c.do(http.MethodPost, "/v2/a/blobs/uploads/", nil, basic("user", "secret"), http.StatusAccepted)
}

func TestSillyLetsInWhoSaysAnything(t *testing.T) {
	c := withAuth(t, "{silly: {realm: r, service: s}}")
	a := c.do(http.MethodGet, "/v2/a/tags/list", nil, nil, http.StatusUnauthorized)
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="r",service="s",scope="repository:a:pull"` {
		t.Errorf("WWW-Authenticate: got %s", got)
	}
	c.do(http.MethodGet, "/v2/", nil, http.Header{"Authorization": {"anything"}}, http.StatusOK)
}

func TestNoneLetsInEverybody(t *testing.T) {
	withAuth(t, "none").do(http.MethodGet, "/v2/", nil, nil, http.StatusOK)
}

// issuer gives out tokens.
type issuer struct {
	t         *testing.T
	key       crypto.Signer
	algorithm jose.SignatureAlgorithm
	id        string
	bundle    string // its certificate, in a file
	jwks      string // its key, in a file
}

func newIssuer(t *testing.T, key crypto.Signer, algorithm jose.SignatureAlgorithm) *issuer {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKey{Key: key.Public()}
	i := &issuer{t: t, key: key, algorithm: algorithm, id: token.GetJWKThumbprint(key.Public())}
	public.KeyID = i.id
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i.bundle, i.jwks = filepath.Join(dir, "bundle.pem"), filepath.Join(dir, "jwks.json")
	if err := os.WriteFile(i.bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(i.jwks, set, 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

type claims struct {
	jwt.Claims
	Access []access `json:"access"`
}

// token signs claims that hold, changed by change.
func (i *issuer) token(change func(*claims)) string {
	i.t.Helper()
	now := time.Now()
	content := claims{Claims: jwt.Claims{
		Issuer: "the issuer", Subject: "user", Audience: jwt.Audience{"the registry"}, ID: "1",
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}}
	if change != nil {
		change(&content)
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", i.id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.algorithm, Key: i.key}, options)
	if err != nil {
		i.t.Fatal(err)
	}
	out, err := jwt.Signed(signer).Claims(content).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return out
}

func allow(repository string, actions ...string) func(*claims) {
	return func(c *claims) { c.Access = []access{{"repository", repository, actions}} }
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func tokenSection(more string) string {
	return "{token: {realm: 'https://auth.example.com/token', service: the registry, issuer: the issuer, " + more + "}}"
}

func TestTokensOfATrustedKeyAreHonoured(t *testing.T) {
	rsaIssuer, ecIssuer := newIssuer(t, rsaKey(t), jose.RS256), newIssuer(t, ecKey(t), jose.ES256)
	for name, c := range map[string]struct {
		issuer *issuer
		trust  string
	}{
		"RSA, rootcertbundle":  {rsaIssuer, "rootcertbundle: " + rsaIssuer.bundle},
		"RSA, jwks":            {rsaIssuer, "jwks: " + rsaIssuer.jwks},
		"EC, rootcertbundle":   {ecIssuer, "rootcertbundle: " + ecIssuer.bundle},
		"EC, jwks":             {ecIssuer, "jwks: " + ecIssuer.jwks},
		"both and algorithms":  {ecIssuer, "rootcertbundle: " + rsaIssuer.bundle + ", jwks: " + ecIssuer.jwks + ", signingalgorithms: [ES256]"},
		"autoredirect changes": {ecIssuer, "jwks: " + ecIssuer.jwks + ", autoredirect: true"},
	} {
		t.Run(name, func(t *testing.T) { tokensAreHonoured(t, withAuth(t, tokenSection(c.trust)), c.issuer) })
	}
}

func tokensAreHonoured(t *testing.T, c *client, i *issuer) {
	const uploads = "/v2/team/app/blobs/uploads/"
	c.do(http.MethodGet, "/v2/", nil, bearer(i.token(nil)), http.StatusOK)
	c.do(http.MethodPost, uploads, nil, bearer(i.token(allow("team/app", "pull", "push"))), http.StatusAccepted)
	c.do(http.MethodGet, "/v2/team/app/tags/list", nil, bearer(i.token(allow("team/app", "pull"))), http.StatusNotFound) // let in: there is no such repository
	for name, signed := range map[string]string{
		"pull alone":         i.token(allow("team/app", "pull")),
		"another repository": i.token(allow("team/other", "pull", "push")),
		"nothing":            i.token(nil),
	} {
		a := c.do(http.MethodPost, uploads, nil, bearer(signed), http.StatusUnauthorized)
		challenge := a.Header.Get("WWW-Authenticate")
		for _, want := range []string{"Bearer ", `service="the registry"`, `scope="repository:team/app:`, `error="insufficient_scope"`} {
			if !strings.Contains(challenge, want) {
				t.Errorf("%s: got the challenge %s, want %s in it", name, challenge, want)
			}
		}
	}
	stranger := newIssuer(t, ecKey(t), jose.ES256)
	past := jwt.NewNumericDate(time.Now().Add(-time.Hour))
	for name, signed := range map[string]string{
		"expired":        i.token(func(c *claims) { c.Expiry = past }),
		"not yet valid":  i.token(func(c *claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour)) }),
		"wrong audience": i.token(func(c *claims) { c.Audience = jwt.Audience{"another registry"} }),
		"wrong issuer":   i.token(func(c *claims) { c.Issuer = "another issuer" }),
		"untrusted key":  stranger.token(nil),
		"no token":       "nonsense",
	} {
		a := c.do(http.MethodGet, "/v2/", nil, bearer(signed), http.StatusUnauthorized)
		if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
			t.Errorf("%s: got the challenge %s, want invalid_token", name, got)
		}
	}
}

func TestTokenOfAnAlgorithmThatIsNotNamedIsRefused(t *testing.T) {
	i := newIssuer(t, ecKey(t), jose.ES256)
	c := withAuth(t, tokenSection("jwks: "+i.jwks+", signingalgorithms: [RS256]"))
	c.do(http.MethodGet, "/v2/", nil, bearer(i.token(nil)), http.StatusUnauthorized)
}

func TestTokenRealmFollowsTheRequest(t *testing.T) {
	i := newIssuer(t, ecKey(t), jose.ES256)
	for more, want := range map[string]string{
		"":                     `realm="https://auth.example.com/token"`,
		", autoredirect: true": `realm="https://HOST/auth/token"`,
		", autoredirect: true, autoredirectpath: /login": `realm="https://HOST/login"`,
	} {
		c := withAuth(t, tokenSection("jwks: "+i.jwks+more))
		got := c.do(http.MethodGet, "/v2/", nil, nil, http.StatusUnauthorized).Header.Get("WWW-Authenticate")
		want = strings.Replace(want, "HOST", strings.TrimPrefix(c.base, "http://"), 1)
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s in it", more, got, want)
		}
	}
}

// TestTokenIsFetchedAsTheChallengeSays follows the challenge as a client does: it asks the server at the
// realm for what the scope says, with a password, and comes back with the answer.
func TestTokenIsFetchedAsTheChallengeSays(t *testing.T) {
	i := newIssuer(t, rsaKey(t), jose.RS256)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		scope := strings.Split(r.URL.Query().Get("scope"), ":")
		if r.URL.Query().Get("service") != "the registry" || len(scope) != 3 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": i.token(allow(scope[1], strings.Split(scope[2], ",")...))})
	}))
	defer server.Close()
	c := withAuth(t, "{token: {realm: '"+server.URL+"/token', service: the registry, issuer: the issuer, rootcertbundle: "+i.bundle+"}}")
	challenge := c.do(http.MethodPost, "/v2/team/app/blobs/uploads/", nil, nil, http.StatusUnauthorized).Header.Get("WWW-Authenticate")
	values := map[string]string{}
	for pair := range strings.SplitSeq(strings.TrimPrefix(challenge, "Bearer "), `",`) {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = strings.Trim(value, `"`)
	}
	query := strings.ReplaceAll("?service="+values["service"]+"&scope="+values["scope"], " ", "%20")
	c.do(http.MethodGet, values["realm"]+query, nil, basic("user", "wrong"), http.StatusUnauthorized)
	var got struct{ Token string }
	if err := json.Unmarshal(c.do(http.MethodGet, values["realm"]+query, nil, basic("user", "secret"), http.StatusOK).body, &got); err != nil {
		t.Fatal(err)
	}
	c.do(http.MethodPost, "/v2/team/app/blobs/uploads/", nil, bearer(got.Token), http.StatusAccepted)
}

func TestAuthThatCannotWorkIsOneLine(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]string{
		tokenSection("jwks: /missing"):           "/missing",
		tokenSection("rootcertbundle: " + empty): "key",
		tokenSection("jwks: " + empty):           "key",
	} {
		config := parse(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\nauth: "+section+"\n")
		_, err := registry.NewHandler(t.Context(), newStore(t), config)
		expectOneLine(t, err, "authorization (token)", want)
	}
}

// TestHtpasswdThatIsMissingIsMade has distribution make a user, and log the password: the one thing that
// a configuration has it write outside of the storage.
func TestHtpasswdThatIsMissingIsMade(t *testing.T) {
	log := captureLog(t)
	file := filepath.Join(t.TempDir(), "sub", "htpasswd")
	c := newClient(t, newStore(t), parse(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\nauth: {htpasswd: {realm: r, path: "+file+"}}\n"))
	_, rest, found := strings.Cut(log.String(), "password=")
	if !found {
		t.Fatalf("no password in\n%s", log)
	}
	password, _, _ := strings.Cut(rest, " ")
	c.do(http.MethodGet, "/v2/", nil, basic("docker", strings.Trim(password, "\"\n")), http.StatusOK)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("want %s for this user alone, got %v, %v", file, info, err)
	}
}
