package s3

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// The two forms that a profile with SSO has: the token's file is named after the session, or after the URL where it was begun.
var ssoProfiles = map[string]struct{ config, cached string }{
	"session": {"[profile registry]\nsso_session = berth\nsso_account_id = 123456789012\nsso_role_name = pusher\nregion = eu-west-1\n\n" +
		"[sso-session berth]\nsso_start_url = https://berth.example.com/start\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n", "berth"},
	"URL": {"[profile registry]\nsso_start_url = https://berth.example.com/start\nsso_region = eu-west-1\n" +
		"sso_account_id = 123456789012\nsso_role_name = pusher\nregion = eu-west-1\n", "https://berth.example.com/start"},
}

// portal answers as the SSO portal does, for one token, account and role, and nothing else.
func portal(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method != http.MethodGet || r.URL.Path != "/federation/credentials" || len(q) != 2 || r.Header.Get("Authorization") != "":
			jsonRefusal(w, http.StatusBadRequest, "InvalidRequestException")
		case r.Header.Get("X-Amz-Sso_bearer_token") != token:
			jsonRefusal(w, http.StatusUnauthorized, "UnauthorizedException")
		case q.Get("account_id") != "123456789012" || q.Get("role_name") != "pusher":
			jsonRefusal(w, http.StatusForbidden, "ForbiddenException")
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"roleCredentials": map[string]any{
				"accessKeyId": "SSO", "secretAccessKey": "zebra", "sessionToken": "sso token", "expiration": time.Now().Add(time.Hour).UnixMilli(),
			}})
		}
	}
}

func jsonRefusal(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type": %q, "error": "zebra", "message": "zebra"}`, code)
}

// renewal gives out one new token for the refresh token that the file has.
func renewal(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/token" {
		jsonRefusal(w, http.StatusBadRequest, "InvalidRequestException")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"accessToken": "renewed", "expiresIn": 3600, "refreshToken": "next", "tokenType": "Bearer"}`)
}

// login writes what "aws sso login" leaves: the profile, and the token's file, unless it is nil. The portal and the renewal are those given.
func login(t *testing.T, form string, file map[string]any, portal, renewal string) {
	t.Helper()
	surroundings(t, "AWS_ENDPOINT_URL_SSO", portal, "AWS_ENDPOINT_URL_SSO_OIDC", renewal)
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte(ssoProfiles[form].config), 0o600); err != nil {
		t.Fatal(err)
	}
	if file == nil {
		return
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	name := sha1.Sum([]byte(ssoProfiles[form].cached))
	cache := filepath.Join(os.Getenv("HOME"), ".aws", "sso", "cache", hex.EncodeToString(name[:])+".json")
	if err := os.MkdirAll(filepath.Dir(cache), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cache, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cachedToken(value string, valid time.Duration) map[string]any {
	return map[string]any{
		"startUrl": "https://berth.example.com/start", "region": "eu-west-1", "accessToken": value, "expiresAt": time.Now().Add(valid).UTC().Format(time.RFC3339),
	}
}

func renewable(token map[string]any) map[string]any {
	token["clientId"], token["clientSecret"], token["refreshToken"] = "client", "zebra", "zebra"
	return token
}

var withProfile = map[string]any{"accesskey": nil, "secretkey": nil, "profile": "registry"}

func TestSSO(t *testing.T) {
	for form := range ssoProfiles {
		t.Run(form, func(t *testing.T) {
			keys, tokens, s := serve(t, false, portal("begun")), serve(t, false, renewal), serve(t, false, emptyBucket)
			login(t, form, cachedToken("begun", time.Hour), keys.URL, tokens.URL)
			opened(t, s.parameters(withProfile))
			if key, token := signedBy(s.last(t)); key != "SSO" || token != "sso token" {
				t.Errorf("the service was asked by %s, %s", key, token)
			}
			if asked, renewed := len(keys.seen()), len(tokens.seen()); asked != 1 || renewed != 0 {
				t.Errorf("the portal was asked %d times, and %d tokens were renewed", asked, renewed)
			}
		})
	}
	t.Run("renewed", func(t *testing.T) {
		keys, tokens, s := serve(t, false, portal("renewed")), serve(t, false, renewal), serve(t, false, emptyBucket)
		login(t, "session", renewable(cachedToken("begun", -time.Minute)), keys.URL, tokens.URL)
		opened(t, s.parameters(withProfile))
		if key, _ := signedBy(s.last(t)); key != "SSO" || len(tokens.seen()) != 1 {
			t.Errorf("the service was asked by %s, and %d tokens were renewed", key, len(tokens.seen()))
		}
	})
}

func TestSSOThatHasEnded(t *testing.T) {
	const (
		over = `no credentials: the SSO session of the profile has expired or was never begun: run "aws sso login"`
		down = "no credentials: GetRoleCredentials of SSO failed: "
	)
	refused := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { jsonRefusal(w, status, code) }
	}
	for _, c := range []struct {
		name, form      string
		file            map[string]any
		portal, renewal http.HandlerFunc
		kind            storagedriver.Kind
		says            string
	}{
		{"expired", "session", cachedToken("begun", -time.Minute), portal("begun"), renewal, storagedriver.KindPermission, over},
		{"expired", "URL", cachedToken("begun", -time.Minute), portal("begun"), renewal, storagedriver.KindPermission, over},
		{"never begun", "session", nil, portal("begun"), renewal, storagedriver.KindPermission, over},
		{"never begun", "URL", nil, portal("begun"), renewal, storagedriver.KindPermission, over},
		{"ended at the portal", "session", cachedToken("ended", time.Hour), portal("begun"), renewal, storagedriver.KindPermission, over},
		{"ended at the portal", "URL", cachedToken("ended", time.Hour), portal("begun"), renewal, storagedriver.KindPermission, over},
		{"not renewed", "session", renewable(cachedToken("begun", -time.Minute)), portal("begun"), refused(400, "InvalidGrantException"), storagedriver.KindPermission, over},
		{"not renewed now", "session", renewable(cachedToken("begun", -time.Minute)), portal("begun"), refused(500, "InternalServerException"), storagedriver.KindUnavailable, "no credentials: CreateToken of SSO OIDC failed: InternalServerException"},
		{"another role", "URL", cachedToken("begun", time.Hour), refused(403, "ForbiddenException"), renewal, storagedriver.KindPermission, down + "ForbiddenException"},
		{"busy", "URL", cachedToken("begun", time.Hour), refused(429, "TooManyRequestsException"), renewal, storagedriver.KindUnavailable, down + "TooManyRequestsException"},
	} {
		t.Run(c.name+" "+c.form, func(t *testing.T) {
			keys, tokens, s := serve(t, false, c.portal), serve(t, false, c.renewal), serve(t, false, emptyBucket)
			login(t, c.form, c.file, keys.URL, tokens.URL)
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			_, err := Open(t.Context(), s.parameters(withProfile))
			says(t, err, c.kind, c.says)
			if !strings.HasSuffix(err.Error(), c.says) || storagedriver.IsTemporary(err) != (c.kind == storagedriver.KindUnavailable) {
				t.Errorf("got %v, temporary: %v, want it to end with %q", err, storagedriver.IsTemporary(err), c.says)
			}
			if n := len(s.seen()); n != 0 {
				t.Errorf("%d requests without credentials", n)
			}
		})
	}
}
