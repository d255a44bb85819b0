package swift_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/swift"
)

const authURL = "http://127.0.0.1:1/v3"

func user() swift.Config {
	return swift.Config{AuthURL: authURL, Username: "admin", Password: factory.NewSecret("devstacker"), Project: "registry"}
}

func open(t testing.TB, cfg swift.Config, do sign.Doer) sign.Signer {
	t.Helper()
	s, err := swift.New(context.Background(), cfg, do)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t testing.TB, method, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, "https://swift.example.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// signed returns the token that a request is signed with.
func signed(t testing.TB, s sign.Signer) string {
	t.Helper()
	req := request(t, "GET", "/v1/AUTH_a/c/o")
	if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
		t.Fatal(err)
	}
	return req.Header.Get("X-Auth-Token")
}

func TestV3(t *testing.T) {
	domain := user()
	domain.Domain, domain.ProjectDomainID = "Default", "default"
	id := swift.Config{AuthURL: authURL, UserID: "ee4dfb6e5540447cb3741905149d9b6e", Password: factory.NewSecret("devstacker"), ProjectID: "a6944d763bf64ee6a275f1263fae0352"}
	app := swift.Config{AuthURL: authURL + "/", AuthVersion: 3, ApplicationCredentialID: "aa809205ed614a0e854bac92c0768bb9", ApplicationCredentialSecret: factory.NewSecret("oLLGtBPgD1Bbvua8HiHEuY")}
	for name, cfg := range map[string]swift.Config{"defaults": user(), "domains": domain, "IDs": id, "application credential": app} {
		t.Run(name, func(t *testing.T) {
			s := open(t, cfg, direct{&keystone{}})
			if got := signed(t, s); got != "token-1" {
				t.Errorf("the token %q", got)
			}
			if got := s.Sent(); !slices.Equal(got, []string{"token-1"}) {
				t.Errorf("Sent: %q", got)
			}
		})
	}
}

func TestSuite(t *testing.T) {
	k := &keystone{}
	server := httptest.NewServer(k)
	defer server.Close()
	cfg := user()
	cfg.AuthURL = server.URL + "/v3"
	t.Run("password", func(t *testing.T) {
		suite.Run(t, suite.Case{Signer: open(t, cfg, server.Client()), Config: cfg, Secrets: []string{"devstacker"}})
		if n := k.asked.Load(); n != 1 {
			t.Errorf("%d tokens were fetched", n)
		}
	})
	t.Run("TempURL", func(t *testing.T) {
		cfg.TempURLKey = factory.NewSecret("tempurl key")
		suite.Run(t, suite.Case{Signer: open(t, cfg, server.Client()), Config: cfg, Secrets: []string{"devstacker", "tempurl key"}, Path: "/v1/AUTH_a/c/a b/$1+2%", Presigns: true})
	})
}

func TestV1(t *testing.T) {
	for _, c := range []struct {
		name, expires string
		quiet         time.Duration
	}{{"that says when", "86400", 24*time.Hour - 5*time.Minute}, {"that does not", "", 55 * time.Minute}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := open(t, swift.Config{AuthURL: "http://127.0.0.1:1/auth/v1.0", AuthVersion: 1, Username: "test:tester", Password: factory.NewSecret("testing")}, direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked++
					if r.Method != "GET" || r.URL.Path != "/auth/v1.0" || r.Header.Get("X-Auth-User") != "test:tester" || r.Header.Get("X-Auth-Key") != "testing" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					w.Header().Set("X-Auth-Token", "AUTH_tk0")
					w.Header().Set("X-Storage-Url", "http://127.0.0.1:1/v1/AUTH_test")
					if c.expires != "" {
						w.Header().Set("X-Auth-Token-Expires", c.expires)
					}
				})})
				if got := signed(t, s); got != "AUTH_tk0" {
					t.Errorf("the token %q", got)
				}
				<-time.After(c.quiet - time.Second)
				signed(t, s)
				synctest.Wait()
				if asked != 1 {
					t.Errorf("asked %d times", asked)
				}
				<-time.After(time.Second)
				signed(t, s)
				synctest.Wait()
				if asked != 2 {
					t.Errorf("asked %d times", asked)
				}
			})
		})
	}
}

func TestRenewalAndRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, user(), direct{&keystone{}})
		signed(t, s)
		<-time.After(55 * time.Minute)
		signed(t, s)
		synctest.Wait()
		if got := signed(t, s); got != "token-2" {
			t.Errorf("the token %q", got)
		}
		<-time.After(2 * time.Minute)
		req := request(t, "GET", "/v1/AUTH_a/c/o")
		if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
			t.Fatal(err)
		}
		s.(sign.Rejecter).Rejected(req)
		if got := signed(t, s); got != "token-3" {
			t.Errorf("after 401: the token %q", got)
		}
		s.(sign.Rejecter).Rejected(req)
		if got := signed(t, s); got != "token-3" {
			t.Errorf("after a late 401: the token %q", got)
		}
		if got := s.Sent(); !slices.Equal(got, []string{"token-3", "token-2", "token-1"}) {
			t.Errorf("Sent: %q", got)
		}
	})
}

func TestFailures(t *testing.T) {
	text := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("X-Subject-Token", "token-1")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const good = `{"token":{"expires_at":"2999-01-01T00:00:00.000000Z"}}`
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		kind      storagedriver.Kind
		temporary bool
		says      string
	}{
		{"refused", text(401, "application/json", `{"error":{"message":"zebra"}}`), storagedriver.KindPermission, false, "Keystone refused the credential with status 401"},
		{"forbidden", text(403, "application/json", "zebra"), storagedriver.KindPermission, false, "403"},
		{"not there", text(404, "text/html", "zebra"), storagedriver.KindUnavailable, false, "Keystone answered with status 404: look at its URL"},
		{"overloaded", text(503, "text/html", "zebra"), storagedriver.KindUnavailable, true, "503"},
		{"a page", text(200, "text/html", "<html>zebra</html>"), storagedriver.KindUnavailable, false, "not the JSON of a token"},
		{"a page that is said to be JSON", text(201, "application/json", "<html>zebra</html>"), storagedriver.KindUnavailable, false, "not the JSON of a token"},
		{"another document", text(201, "application/json", `{"token":{"expires_at":"zebra"}}`), storagedriver.KindUnavailable, false, "not the JSON of a token"},
		{"no end", text(201, "application/json", `{"zebra":1}`), storagedriver.KindUnavailable, false, `a token without "expires_at"`},
		{"at its end", text(201, "application/json", `{"token":{"expires_at":"2001-01-01T00:00:00Z"}}`), storagedriver.KindUnavailable, false, "at its end"},
		{"huge", text(201, "application/json", good+strings.Repeat(" ", 1<<20)), storagedriver.KindUnavailable, false, "more than 1 MiB"},
		{"no token", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); io.WriteString(w, good) }, storagedriver.KindUnavailable, false, "no X-Subject-Token"},
		{"a token that is no header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Subject-Token", "zebra \xff")
			w.WriteHeader(201)
			io.WriteString(w, good)
		}, storagedriver.KindUnavailable, false, "a token that a header cannot have"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/zebra", http.StatusTemporaryRedirect)
		}, storagedriver.KindUnavailable, false, "redirects are not followed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &keystone{answer: c.answer}
			server := httptest.NewServer(k)
			defer server.Close()
			cfg := user()
			cfg.AuthURL = server.URL + "/v3"
			s := open(t, cfg, server.Client())
			req := request(t, "GET", "/v1/AUTH_a/c/o")
			err := s.Sign(context.Background(), req, suite.Payload{})
			if storagedriver.KindOf(err) != c.kind || storagedriver.IsTemporary(err) != c.temporary || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "zebra") {
				t.Errorf("%v, want %v: %s", err, c.kind, c.says)
			}
			if len(req.Header) != 0 || k.asked.Load() != 1 {
				t.Errorf("the request has %v, and the server was asked %d times", req.Header, k.asked.Load())
			}
		})
	}
	t.Run("a lying content type", func(t *testing.T) {
		if got := signed(t, open(t, user(), direct{text(201, "text/html", good)})); got != "token-1" {
			t.Errorf("the token %q", got)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		cfg := user()
		cfg.AuthURL = server.URL + "/v3"
		err := open(t, cfg, &http.Client{}).Sign(context.Background(), request(t, "GET", "/"), suite.Payload{})
		if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "Keystone cannot be reached") {
			t.Errorf("%v", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		held := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
			close(held)
			<-r.Context().Done()
		}))
		defer server.Close()
		cfg := user()
		cfg.AuthURL = server.URL + "/v3"
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-held; cancel() }()
		if err := open(t, cfg, server.Client()).Sign(ctx, request(t, "GET", "/"), suite.Payload{}); err != context.Canceled {
			t.Errorf("%v", err)
		}
	})
}
