package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// TestRedirectsNeedNoHeaders: a client follows a redirect with the URL alone.
func TestRedirectsNeedNoHeaders(t *testing.T) {
	surroundings(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, c := range []struct {
			more map[string]any
			has  string // "" is no URL
		}{
			{map[string]any{"requestpayer": true}, "&x-amz-request-payer=requester"},
			{map[string]any{"requestpayer": true}, "&X-Amz-SignedHeaders=host&"},
			{map[string]any{"encrypt": true, "keyid": "key"}, "&X-Amz-SignedHeaders=host&"},
			{map[string]any{"v4auth": false}, "&Signature="},
			{map[string]any{"v4auth": false, "requestpayer": true}, ""}, // signed as a header in any case
		} {
			d := unprobed(t, parametersOf("https://s3.example.com", c.more))
			got, err := d.Redirect(t.Context(), "/a", storagedriver.RedirectOptions{Method: method})
			if err != nil || (got == "") != (c.has == "") || !strings.Contains(got, c.has) {
				t.Errorf("%s, %v: want a URL with %q, got %q, %v", method, c.more, c.has, got, err)
			}
		}
	}
}
