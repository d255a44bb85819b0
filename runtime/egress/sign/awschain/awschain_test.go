package awschain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/awschain"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// surroundings clears what the chain looks at, and sets variables.
func surroundings(t *testing.T, variables ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	dir := t.TempDir()
	variables = append([]string{"AWS_CONFIG_FILE", filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"), "HOME", dir}, variables...)
	for i := 0; i < len(variables); i += 2 {
		t.Setenv(variables[i], variables[i+1])
	}
}

func write(t *testing.T, variable, text string) {
	t.Helper()
	if err := os.WriteFile(os.Getenv(variable), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, cfg awschain.Config, do sign.Doer) sign.Signer {
	t.Helper()
	s, err := awschain.New(context.Background(), cfg, do)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t testing.TB) *http.Request {
	req, err := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// handler is a Doer that calls h, without a network.
type handler struct{ h http.Handler }

func (d handler) Do(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, req)
	return w.Result(), req.Context().Err()
}

func TestEnvironment(t *testing.T) {
	surroundings(t, "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY", secretKey, "AWS_SESSION_TOKEN", "session token", "AWS_REGION", "eu-central-1")
	s := open(t, awschain.Config{}, nil)
	req := get(t)
	if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
		t.Fatal(err)
	}
	if got := req.Header.Get("Authorization"); !strings.Contains(got, "Credential=AKIAIOSFODNN7EXAMPLE/") || !strings.Contains(got, "/eu-central-1/s3/aws4_request") {
		t.Errorf("Authorization: %s", got)
	}
	suite.Run(t, suite.Case{Signer: s, Config: awschain.Config{}, Secrets: []string{secretKey, "session token"}, Presigns: true})
}

func TestProfile(t *testing.T) {
	surroundings(t)
	write(t, "AWS_SHARED_CREDENTIALS_FILE", "[registry]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = "+secretKey+"\n")
	write(t, "AWS_CONFIG_FILE", "[profile registry]\nregion = ap-south-1\n")
	req := get(t)
	if err := open(t, awschain.Config{Profile: "registry"}, nil).Sign(context.Background(), req, suite.Payload{}); err != nil {
		t.Fatal(err)
	}
	if got := req.Header.Get("Authorization"); !strings.Contains(got, "Credential=AKIDPROFILE/") || !strings.Contains(got, "/ap-south-1/s3/") {
		t.Errorf("Authorization: %s", got)
	}
	if _, err := awschain.New(context.Background(), awschain.Config{Profile: "other"}, nil); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), `parameter "profile" must name a profile of AWS's shared files: there is no "other"`) {
		t.Errorf("a profile that is not there: %v", err)
	}
	if _, err := awschain.New(context.Background(), awschain.Config{}, nil); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), `parameter "region" must be`) {
		t.Errorf("without a region: %v", err)
	}
}

// metadata is the endpoint of a container, which gives out keys for an hour.
type metadata struct {
	asked atomic.Int32
	fails atomic.Bool
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := m.asked.Add(1)
	if m.fails.Load() || r.URL.Path != "/keys" || r.Header.Get("Authorization") != "endpoint token" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":"AccessDenied","message":"the message repeats zebra"}`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"AccessKeyId": fmt.Sprintf("AKID%d", n), "SecretAccessKey": fmt.Sprintf("secret %d", n), "Token": fmt.Sprintf("token %d", n),
		"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
}

func container(t *testing.T, url string) {
	surroundings(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", url, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "endpoint token", "AWS_REGION", "us-east-1")
}

func TestEndpoint(t *testing.T) {
	m := &metadata{}
	server := httptest.NewServer(m)
	defer server.Close()
	container(t, server.URL+"/keys")
	s := open(t, awschain.Config{}, server.Client())
	suite.Run(t, suite.Case{Signer: s, Config: awschain.Config{}, Secrets: []string{"secret 1", "token 1"}, Presigns: true})
	if n := m.asked.Load(); n != 1 {
		t.Errorf("the endpoint was asked %d times", n)
	}
}

func TestRenewal(t *testing.T) {
	container(t, "http://127.0.0.1:1/keys")
	synctest.Test(t, func(t *testing.T) {
		m := &metadata{}
		s := open(t, awschain.Config{}, handler{m})
		key := func() string {
			t.Helper()
			req := get(t)
			if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, rest, _ := strings.Cut(req.Header.Get("Authorization"), "Credential=")
			name, _, _ := strings.Cut(rest, "/")
			return name
		}
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{0, "AKID1"}, {49 * time.Minute, "AKID1"}, {2 * time.Minute, "AKID1"}, {time.Second, "AKID2"}} { // the SDK takes 5 minutes off

			<-time.After(step.after)
			if got := key(); got != step.want {
				t.Errorf("%v later: %s, want %s", step.after, got, step.want)
			}
		}
		if got := s.Sent(); !slices.Equal(got, []string{"token 2", "token 1"}) {
			t.Errorf("Sent: %q", got)
		}
		m.fails.Store(true)
		<-time.After(53 * time.Minute) // within the time of renewing, which fails
		if got := key(); got != "AKID2" {
			t.Errorf("while no keys are to be had: %s", got)
		}
		if got := s.Sent(); !slices.Equal(got, []string{"token 2"}) {
			t.Errorf("Sent: %q", got)
		}
	})
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(t *testing.T)
		do   sign.Doer
		kind storagedriver.Kind
		says string
	}{
		{"the endpoint refuses", func(t *testing.T) { container(t, "http://127.0.0.1:1/other") }, handler{&metadata{}}, storagedriver.KindPermission, "status 403"},
		{"the endpoint cannot be reached", func(t *testing.T) { container(t, "http://127.0.0.1:1/keys") }, unreachable{}, storagedriver.KindUnavailable, "the AWS credential chain cannot be reached"},
		{"nobody may be asked", func(t *testing.T) { container(t, "http://127.0.0.1:1/keys") }, nil, storagedriver.KindDenied, "no server may be asked, and that is where the credentials are: 127.0.0.1:1"},
		{"nothing but the metadata service, and nobody may be asked", func(t *testing.T) { surroundings(t, "AWS_REGION", "us-east-1") }, nil, storagedriver.KindDenied, "no server may be asked, and that is where the credentials are: 169.254.169.254"},
		{"a process that prints secrets", func(t *testing.T) {
			surroundings(t, "AWS_REGION", "us-east-1")
			write(t, "AWS_CONFIG_FILE", "[default]\ncredential_process = echo zebra\n")
		}, nil, storagedriver.KindUnavailable, "credential_process failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.set(t)
			var err error
			synctest.Test(t, func(t *testing.T) { // for the pauses between the SDK's attempts
				err = open(t, awschain.Config{}, c.do).Sign(context.Background(), get(t), suite.Payload{})
			})
			if storagedriver.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "zebra") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %v: %s", err, c.kind, c.says)
			}
		})
	}
}

type unreachable struct{}

func (unreachable) Do(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("connection refused")
}
