package s3

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// tokens is a service of STS that gives out the keys and the token of a role.
func tokens(operation string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>zebra</SecretAccessKey><SessionToken>role token</SessionToken>`+
			`<Expiration>%[2]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, operation, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}
}

// signedBy is the access key and the session token of a request.
func signedBy(r *http.Request) (key, token string) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(rest, "/")
	return key, r.Header.Get("X-Amz-Security-Token")
}

func sentTo(t *testing.T, sts *service) url.Values {
	t.Helper()
	if n := len(sts.seen()); n != 1 {
		t.Fatalf("STS was asked %d times", n)
	}
	form, err := url.ParseQuery(string(sts.bodies[0]))
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func TestAssumeRole(t *testing.T) {
	surroundings(t)
	sts, s := serve(t, false, tokens("AssumeRole")), serve(t, false, emptyBucket)
	opened(t, s.parameters(map[string]any{"rolearn": "arn:aws:iam::1:role/registry", "roleexternalid": "us", "stsendpoint": sts.URL, "sessiontoken": "mine"}))
	form := sentTo(t, sts)
	if form.Get("Action") != "AssumeRole" || form.Get("RoleArn") != "arn:aws:iam::1:role/registry" || form.Get("RoleSessionName") != "berth" || form.Get("ExternalId") != "us" {
		t.Errorf("asked for %v", form)
	}
	if !sts.last(t).Close {
		t.Error("the connection to STS is kept")
	}
	if key, token := signedBy(sts.last(t)); key != testAccess || token != "mine" {
		t.Errorf("STS was asked by %s, %s", key, token)
	}
	if key, token := signedBy(s.last(t)); key != "ROLE" || token != "role token" {
		t.Errorf("the service was asked by %s, %s", key, token)
	}
}

func TestWebIdentity(t *testing.T) {
	surroundings(t)
	sts, s := serve(t, false, tokens("AssumeRoleWithWebIdentity")), serve(t, false, emptyBucket)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the token"), 0o600); err != nil {
		t.Fatal(err)
	}
	more := map[string]any{
		"accesskey": nil, "secretkey": nil, "rolearn": "arn:aws:iam::1:role/registry", "rolesessionname": "east",
		"webidentitytokenfile": file, "stsendpoint": sts.URL,
	}
	opened(t, s.parameters(more))
	form := sentTo(t, sts)
	if form.Get("Action") != "AssumeRoleWithWebIdentity" || form.Get("WebIdentityToken") != "the token" || form.Get("RoleSessionName") != "east" {
		t.Errorf("asked for %v", form)
	}
	if key, token := signedBy(s.last(t)); key != "ROLE" || token != "role token" {
		t.Errorf("the service was asked by %s, %s", key, token)
	}
	more["webidentitytokenfile"] = file + "x"
	_, err := Open(t.Context(), s.parameters(more))
	says(t, err, storagedriver.KindPermission, `look at the profile, and at the token file of "webidentitytokenfile"`)
}

func TestProfile(t *testing.T) {
	surroundings(t)
	s := serve(t, false, emptyBucket)
	if err := os.WriteFile(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), []byte("[registry]\naws_access_key_id = PROFILE\naws_secret_access_key = zebra\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	more := map[string]any{"accesskey": nil, "secretkey": nil, "profile": "registry"}
	opened(t, s.parameters(more))
	if key, _ := signedBy(s.last(t)); key != "PROFILE" {
		t.Errorf("the service was asked by %s", key)
	}
	more["profile"] = "other"
	_, err := Open(t.Context(), s.parameters(more))
	says(t, err, storagedriver.KindInvalidArgument, `parameter "profile" must name a profile of AWS's shared files: there is no "other"`)
}

// TestKeysNeedNoFiles: keys in the parameters count, whatever the surroundings are.
func TestKeysNeedNoFiles(t *testing.T) {
	surroundings(t, "AWS_PROFILE", "other", "AWS_ACCESS_KEY_ID", "ENV", "AWS_SECRET_ACCESS_KEY", "zebra")
	s := serve(t, false, emptyBucket)
	opened(t, s.parameters(map[string]any{"sessiontoken": "mine"}))
	if key, token := signedBy(s.last(t)); key != testAccess || token != "mine" {
		t.Errorf("the service was asked by %s, %s", key, token)
	}
}

func TestDefaultChain(t *testing.T) {
	none := map[string]any{"accesskey": nil, "secretkey": nil}
	t.Run("environment", func(t *testing.T) {
		surroundings(t, "AWS_ACCESS_KEY_ID", "ENV", "AWS_SECRET_ACCESS_KEY", "zebra", "AWS_MAX_ATTEMPTS", "1", "AWS_RETRY_MODE", "adaptive")
		s := serve(t, false, emptyBucket)
		d := opened(t, s.parameters(none))
		if key, _ := signedBy(s.last(t)); key != "ENV" {
			t.Errorf("the service was asked by %s", key)
		}
		if n := d.client.api.Options().Retryer.MaxAttempts(); n != DefaultMaxAttempts {
			t.Errorf("%d attempts: the environment counts for more than the parameters", n)
		}
	})
	t.Run("container", func(t *testing.T) {
		keys := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{
				"AccessKeyId": "CONTAINER", "SecretAccessKey": "zebra", "Token": "t", "Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
			})
		})
		surroundings(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", keys.URL+"/keys")
		s := serve(t, false, emptyBucket)
		opened(t, s.parameters(none))
		if key, _ := signedBy(s.last(t)); key != "CONTAINER" {
			t.Errorf("the service was asked by %s", key)
		}
	})
	t.Run("instance", func(t *testing.T) {
		keys := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut:
				w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
				fmt.Fprint(w, "session")
			case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
				fmt.Fprint(w, "role")
			default:
				_ = json.NewEncoder(w).Encode(map[string]any{
					"Code": "Success", "AccessKeyId": "INSTANCE", "SecretAccessKey": "zebra", "Token": "t", "Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
				})
			}
		})
		surroundings(t, "AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", keys.URL)
		s := serve(t, false, emptyBucket)
		opened(t, s.parameters(none))
		if key, _ := signedBy(s.last(t)); key != "INSTANCE" {
			t.Errorf("the service was asked by %s", key)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		surroundings(t)
		s := serve(t, false, emptyBucket)
		_, err := Open(t.Context(), s.parameters(none))
		says(t, err, storagedriver.KindPermission, `no credentials: give parameters "accesskey" and "secretkey", "profile" or "webidentitytokenfile", or AWS's environment variables; `)
		if n := len(s.seen()); n != 0 {
			t.Errorf("%d requests without credentials", n)
		}
	})
}

func TestCredentialsThatAreRefused(t *testing.T) {
	refused := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>zebra</Message></Error></ErrorResponse>", code)
		}
	}
	surroundings(t)
	s := serve(t, false, emptyBucket)
	for _, c := range []struct {
		sts       http.HandlerFunc
		kind      storagedriver.Kind
		temporary bool
		says      string
	}{
		{refused(403, "AccessDenied"), storagedriver.KindPermission, false, `no credentials: STS refuses AssumeRole: look at parameter "rolearn", at the role's trust policy, and at the credentials it is assumed with: AccessDenied`},
		{refused(400, "ThrottlingException"), storagedriver.KindUnavailable, true, `STS refuses AssumeRole`},
		{refused(503, "ServiceUnavailable"), storagedriver.KindUnavailable, true, `STS refuses AssumeRole`},
	} {
		sts := serve(t, false, c.sts)
		_, err := Open(t.Context(), s.parameters(map[string]any{"rolearn": "r", "stsendpoint": sts.URL, "maxattempts": 1}))
		says(t, err, c.kind, c.says)
		if storagedriver.IsTemporary(err) != c.temporary {
			t.Errorf("%v: temporary is %v", err, !c.temporary)
		}
	}
	gone := serve(t, false, emptyBucket)
	gone.Close()
	_, err := Open(t.Context(), s.parameters(map[string]any{"rolearn": "r", "stsendpoint": gone.URL, "maxattempts": 1}))
	says(t, err, storagedriver.KindUnavailable, `no credentials: STS cannot be reached: look at parameter "stsendpoint": dial tcp `, "connection refused")
	if n := len(s.seen()); n != 0 {
		t.Errorf("%d requests without credentials", n)
	}
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[default]\ncredential_process = echo zebra\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), s.parameters(map[string]any{"accesskey": nil, "secretkey": nil}))
	says(t, err, storagedriver.KindPermission, "no credentials: credential_process of the profile failed, or did not print what it should")
}
