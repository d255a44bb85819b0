package swift_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync/atomic"
	"time"
)

// keystone is a token server that knows one user and one application credential, and takes nothing but what the Identity
// API v3 has (stricter than Keystone: unknown members are refused). It gives out "token 1", "token 2", ...
type keystone struct {
	asked  atomic.Int32
	answer http.HandlerFunc // nil: as it should
	life   time.Duration
}

// The documents of "Identity API v3 (CURRENT)", "Password authentication with scoped authorization" and "Authenticating with an Application
// Credential".
const (
	byPassword = `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"name":"Default"},"password":"devstacker"}}},"scope":{"project":{"name":"registry","domain":{"id":"default"}}}}}`
	byUserID   = `{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"ee4dfb6e5540447cb3741905149d9b6e","password":"devstacker"}}},"scope":{"project":{"id":"a6944d763bf64ee6a275f1263fae0352"}}}}`
	byDefaults = `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"id":"default"},"password":"devstacker"}}},"scope":{"project":{"name":"registry","domain":{"id":"default"}}}}}`
	byApp      = `{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"aa809205ed614a0e854bac92c0768bb9","secret":"oLLGtBPgD1Bbvua8HiHEuY"}}}}`
)

func (k *keystone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := k.asked.Add(1)
	if k.answer != nil {
		k.answer(w, r)
		return
	}
	if r.Method != "POST" || r.URL.Path != "/v3/auth/tokens" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "not here", http.StatusNotFound)
		return
	}
	var got any
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	for _, known := range []string{byPassword, byUserID, byDefaults, byApp} {
		var want any
		if json.Unmarshal([]byte(known), &want) == nil && reflect.DeepEqual(got, want) {
			k.give(w, n)
			return
		}
	}
	http.Error(w, `{"error":{"message":"zebra"}}`, http.StatusUnauthorized)
}

func (k *keystone) give(w http.ResponseWriter, n int32) {
	life := k.life
	if life == 0 {
		life = time.Hour
	}
	w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", n))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"token":{"methods":["password"],"expires_at":%q,"catalog":[]}}`, time.Now().Add(life).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// direct is a Doer that calls a handler without a network.
type direct struct{ h http.Handler }

func (d direct) Do(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, req)
	return w.Result(), req.Context().Err()
}
