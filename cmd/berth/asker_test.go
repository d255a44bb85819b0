package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/swift"
)

// nothing is a payload without a body.
type nothing struct{}

func (nothing) SHA256(context.Context) (sum [32]byte, ok bool, err error) { return sum, false, nil }
func (nothing) Size() int64                                               { return 0 }

// TestTokensAreFetchedFromTheirServerAlone has a section with a token server on loopback, which the driver is not allowed to reach.
func TestTokensAreFetchedFromTheirServerAlone(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"issued","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(server.Close)
	s, err := parseSandbox(map[string]any{"allow": []any{map[string]any{
		"origin": "https://a.example", "tls": map[string]any{"minimum": "1.3"},
		"credential": map[string]any{"oauth2": map[string]any{"tokenurl": server.URL + "/token", "clientid": "c", "clientsecret": "sesame"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	rules, askers, err := signed(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(t *testing.T) (*http.Request, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.example/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		return req, rules[0].Credential.Signer.Sign(t.Context(), req, nothing{})
	}
	if req, err := sign(t); err != nil || req.Header.Get("Authorization") != "Bearer issued" || asked != 1 {
		t.Errorf("want a request with the token, got %v, %v; asked %d times", req.Header, err, asked)
	}
	closeAskers(askers)
	wantRefused(t, askers[0], server.URL+"/token", storagedriver.KindClosed, "the driver is closed")
}

func wantRefused(t *testing.T, doer sign.Doer, url string, kind storagedriver.Kind, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := doer.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if storagedriver.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("%s: want %v with %q, got %v", url, kind, text, err)
	}
}

func TestASignerAsksNobodyElse(t *testing.T) {
	c := &credential{name: "storage", scheme: "swift", config: &swift.Config{AuthURL: "http://127.0.0.1:1/v3"}}
	a := newAsker(limitsConfig{}, allowed{}.Rule, c)
	defer a.close()
	wantRefused(t, a, "http://127.0.0.1:2/v3", storagedriver.KindDenied, "the origin http://127.0.0.1:2 is not where the credential has its tokens from")
	wantRefused(t, a, "https://127.0.0.1:1/v3", storagedriver.KindDenied, "is not where the credential")
	wantRefused(t, a, "http://127.0.0.1:1/v3", storagedriver.KindUnavailable, "127.0.0.1:1")

	chain := newAsker(limitsConfig{}, allowed{}.Rule, &credential{name: "storage", scheme: "awschain"})
	defer chain.close()
	for port := range maxAsked {
		wantRefused(t, chain, fmt.Sprintf("http://127.0.0.1:%d/", port+1), storagedriver.KindUnavailable, "127.0.0.1")
	}
	wantRefused(t, chain, "http://127.0.0.1:99/", storagedriver.KindDenied, "is not where the credential")
}
