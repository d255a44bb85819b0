package oauth2_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oauth2"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// tokens is a token server for one client. It gives out "token-1", "token-2", ...
type tokens struct {
	asked  atomic.Int32
	form   url.Values       // what the client must send; nil: anything
	answer http.HandlerFunc // nil: as it should
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.asked.Add(1)
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	id, secret, basic := r.BasicAuth()
	if r.ParseForm() != nil || r.Method != "POST" || r.URL.Path != "/token" || s.form != nil && r.PostForm.Encode() != s.form.Encode() {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	if inForm := s.form.Get("client_id") != ""; basic == inForm || basic && (id != "s6BhdRkqt3" || secret != "7Fjfp0ZBr1KtDRbnfVdmIw") {
		http.Error(w, `{"error":"invalid_client","error_description":"zebra"}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":3600}`, n)
}

// direct is a Doer that calls a handler without a network.
type direct struct{ h http.Handler }

func (d direct) Do(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, req)
	return w.Result(), req.Context().Err()
}

// The client of RFC 6749's examples.
func client() oauth2.Config {
	return oauth2.Config{TokenURL: "http://127.0.0.1:1/token", ClientID: "s6BhdRkqt3", ClientSecret: factory.NewSecret("7Fjfp0ZBr1KtDRbnfVdmIw")}
}

func open(t testing.TB, cfg oauth2.Config, do sign.Doer) sign.Signer {
	t.Helper()
	s, err := oauth2.New(context.Background(), cfg, do)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sent(t testing.TB, s sign.Signer) *http.Request {
	t.Helper()
	req, err := http.NewRequest("GET", "https://storage.example.com/o", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
		t.Fatal(err)
	}
	return req
}

func TestRequests(t *testing.T) {
	scoped := client()
	scoped.Scopes, scoped.Audience = []string{"read", "write"}, "storage"
	form := client()
	form.AuthStyle = "params"
	for _, c := range []struct {
		name string
		cfg  oauth2.Config
		form url.Values
	}{
		{"plain", client(), url.Values{"grant_type": {"client_credentials"}}},
		{"scopes and audience", scoped, url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}, "audience": {"storage"}}},
		{"secret in the form", form, url.Values{"grant_type": {"client_credentials"}, "client_id": {"s6BhdRkqt3"}, "client_secret": {"7Fjfp0ZBr1KtDRbnfVdmIw"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sent(t, open(t, c.cfg, direct{&tokens{form: c.form}})).Header.Get("Authorization"); got != "Bearer token-1" {
				t.Errorf("Authorization: %s", got)
			}
		})
	}
}

func TestSuite(t *testing.T) {
	h := &tokens{}
	server := httptest.NewServer(h)
	defer server.Close()
	cfg := client()
	cfg.TokenURL = server.URL + "/token"
	suite.Run(t, suite.Case{Signer: open(t, cfg, server.Client()), Config: cfg, Secrets: []string{"7Fjfp0ZBr1KtDRbnfVdmIw"}})
	if n := h.asked.Load(); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestRenewalAndRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, client(), direct{&tokens{}})
		sent(t, s)
		<-time.After(55 * time.Minute)
		sent(t, s)
		synctest.Wait()
		req := sent(t, s)
		if got := req.Header.Get("Authorization"); got != "Bearer token-2" {
			t.Errorf("renewed: %s", got)
		}
		<-time.After(time.Minute)
		s.(sign.Rejecter).Rejected(req)
		if got := sent(t, s).Header.Get("Authorization"); got != "Bearer token-3" {
			t.Errorf("after 401: %s", got)
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
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const good = `{"access_token":"token-1","token_type":"Bearer","expires_in":"3600"}`
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		kind      storagedriver.Kind
		temporary bool
		says      string
	}{
		{"refused", text(401, "application/json", `{"error":"invalid_client","error_description":"zebra"}`), storagedriver.KindPermission, false, "the token server refused the client: invalid_client"},
		{"refused with 400", text(400, "application/json", `{"error":"unauthorized_client"}`), storagedriver.KindPermission, false, "unauthorized_client"},
		{"refused with 200", text(200, "application/json", `{"error":"invalid_scope"}`), storagedriver.KindPermission, false, "invalid_scope"},
		{"an error of its own", text(400, "application/json", `{"error":"zebra"}`), storagedriver.KindUnavailable, false, "the token server answered with status 400"},
		{"an error of its own with 200", text(200, "application/json", `{"error":"zebra"}`), storagedriver.KindUnavailable, false, "something that has no token in it"},
		{"401 without words", text(401, "text/html", "zebra"), storagedriver.KindPermission, false, "status 401"},
		{"overloaded", text(503, "text/html", "zebra"), storagedriver.KindUnavailable, true, "status 503"},
		{"not there", text(404, "text/html", "zebra"), storagedriver.KindUnavailable, false, "status 404: look at its URL"},
		{"a page", text(200, "text/html", "<html>zebra</html>"), storagedriver.KindUnavailable, false, "something that has no token in it"},
		{"JSON that is said to be text", text(200, "text/plain", good), storagedriver.KindUnavailable, false, "something that has no token in it"},
		{"no token", text(200, "application/json", `{"token_type":"Bearer"}`), storagedriver.KindUnavailable, false, "something that has no token in it"},
		{"wrong JSON", text(200, "application/json", `{"access_token":["zebra"]}`), storagedriver.KindUnavailable, false, "something that has no token in it"},
		{"another type of token", text(200, "application/json", `{"access_token":"zebra","token_type":"mac","expires_in":60}`), storagedriver.KindUnavailable, false, "not a bearer token"},
		{"a token that is no header", text(200, "application/json", `{"access_token":"zebra\r\nX: y","token_type":"Bearer"}`), storagedriver.KindUnavailable, false, "a token that a header cannot have"},
		{"at its end", text(200, "application/json", `{"access_token":"token-1","token_type":"Bearer","expires_in":-1}`), storagedriver.KindUnavailable, false, "at its end"},
		{"huge", text(200, "application/json", good+strings.Repeat(" ", 1<<20)), storagedriver.KindUnavailable, false, "more than 1 MiB"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/zebra", http.StatusTemporaryRedirect)
		}, storagedriver.KindUnavailable, false, "redirects are not followed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &tokens{answer: c.answer}
			server := httptest.NewServer(h)
			defer server.Close()
			cfg := client()
			cfg.TokenURL = server.URL + "/token"
			req, _ := http.NewRequest("GET", "https://storage.example.com/o", nil)
			err := open(t, cfg, server.Client()).Sign(context.Background(), req, suite.Payload{})
			if storagedriver.KindOf(err) != c.kind || storagedriver.IsTemporary(err) != c.temporary || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "zebra") {
				t.Errorf("%v, want %v: %s", err, c.kind, c.says)
			}
			if len(req.Header) != 0 || h.asked.Load() != 1 {
				t.Errorf("the request has %v, and the server was asked %d times", req.Header, h.asked.Load())
			}
		})
	}
	t.Run("JSON that is said to be a page", func(t *testing.T) {
		if got := sent(t, open(t, client(), direct{text(200, "text/html", good)})).Header.Get("Authorization"); got != "Bearer token-1" {
			t.Errorf("Authorization: %s", got)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		cfg := client()
		cfg.TokenURL = server.URL + "/token"
		req, _ := http.NewRequest("GET", "https://storage.example.com/o", nil)
		err := open(t, cfg, &http.Client{}).Sign(context.Background(), req, suite.Payload{})
		if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "the token server cannot be reached") {
			t.Errorf("%v", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		held := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			close(held)
			<-r.Context().Done()
		}))
		defer server.Close()
		cfg := client()
		cfg.TokenURL = server.URL + "/token"
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-held; cancel() }()
		req, _ := http.NewRequest("GET", "https://storage.example.com/o", nil)
		if err := open(t, cfg, server.Client()).Sign(ctx, req, suite.Payload{}); err != context.Canceled {
			t.Errorf("%v", err)
		}
	})
}

func TestWrongParameters(t *testing.T) {
	for _, c := range []struct {
		change func(*oauth2.Config)
		want   string
	}{
		{func(c *oauth2.Config) { c.TokenURL = "" }, `parameter "tokenurl" must be a URL of http or https`},
		{func(c *oauth2.Config) { c.TokenURL = "https://a:zebra@h/token" }, `parameter "tokenurl" must`},
		{func(c *oauth2.Config) { c.ClientID = "" }, `parameter "clientid" must be`},
		{func(c *oauth2.Config) { c.ClientSecret = factory.Secret{} }, `parameter "clientsecret" must be`},
		{func(c *oauth2.Config) { c.Scopes = []string{"a b"} }, `parameter "scopes" must be a list of scopes`},
		{func(c *oauth2.Config) { c.AuthStyle = "auto" }, `parameter "authstyle" must be "header" or "params"`},
	} {
		cfg := client()
		c.change(&cfg)
		s, err := oauth2.New(context.Background(), cfg, http.DefaultClient)
		if s != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	if _, err := oauth2.New(context.Background(), client(), nil); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "needs a client that may ask the server") {
		t.Errorf("without a client: %v", err)
	}
}
