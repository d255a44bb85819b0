package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/opencontainers/go-digest"
)

// failingClient returns a client of a registry that is well, and one of another on the same store, whose backend fails by the rule.
func failingClient(t *testing.T, rule string) (well, failing *client) {
	t.Helper()
	rules, err := fault.Parse(rule)
	if err != nil {
		t.Fatal(err)
	}
	b := inmemory.New()
	small := layers.WithPartSize(1000) // so that a PATCH puts segments before it ends
	return newClient(t, layers.Complete(b, small), testConfig()), newClient(t, layers.Complete(fault.New(b, rules), small), testConfig())
}

// expectFailure fails unless a is an answer of the registry with the status, its only code and Retry-After, "" for none.
func expectFailure(t *testing.T, a answer, status int, code, retryAfter string) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Retry-After") != retryAfter {
		t.Errorf("%s %s: got %s, Retry-After %q, want %d, %q; %s", a.Request.Method, a.Request.URL, a.Status, a.Header.Get("Retry-After"), status, retryAfter, a.body)
	}
	for _, name := range []string{"Etag", "Cache-Control", "Docker-Content-Digest", "Location", "Range"} {
		if v := a.Header.Get(name); v != "" {
			t.Errorf("%s %s: got %s: %s with a failure", a.Request.Method, a.Request.URL, name, v)
		}
	}
	if a.Request.Method == http.MethodHead {
		return
	}
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Code != code || body.Errors[0].Message == "" {
		t.Errorf("%s %s: got the body %s, want one error %s", a.Request.Method, a.Request.URL, a.body, code)
	}
	if strings.Contains(string(a.body), "docker/registry") {
		t.Errorf("%s %s: the body says what the storage's paths are: %s", a.Request.Method, a.Request.URL, a.body)
	}
}

var anyStatus = func() []int {
	var out []int
	for status := 200; status < 600; status++ {
		out = append(out, status)
	}
	return out
}()

// TestAPassingFailureOfTheStorageIs503OnEveryRoute: clients repeat 503 and give up on 500.
func TestAPassingFailureOfTheStorageIs503OnEveryRoute(t *testing.T) {
	content, other := pattern(10_000), pattern(10_001)
	blob := digest.FromBytes(content)
	for _, c := range []struct {
		name, method, path string // %s is the manifest's digest
		operations         string // that fail
		body               []byte
	}{
		{"the blob's Stat", http.MethodGet, "/v2/a/b/blobs/" + blob.String(), "*", nil},
		{"the blob's content", http.MethodGet, "/v2/a/b/blobs/" + blob.String(), "Read at /docker/registry/v2/blobs/*/*/*/data", nil},
		{"HEAD of a blob", http.MethodHead, "/v2/a/b/blobs/" + blob.String(), "*", nil},
		{"DELETE of a blob", http.MethodDelete, "/v2/a/b/blobs/" + blob.String(), "*", nil},
		{"the link of a deleted blob", http.MethodDelete, "/v2/a/b/blobs/" + blob.String(), "Delete,DeleteTree", nil},
		{"POST", http.MethodPost, "/v2/a/b/blobs/uploads/", "*", nil},
		{"an upload's status", http.MethodGet, "upload", "*", nil},
		{"PATCH, as the upload is opened", http.MethodPatch, "upload", "*", pattern(5000)},
		{"PATCH, as it is written", http.MethodPatch, "upload", "Put", pattern(5000)},
		{"PUT, as the upload is opened", http.MethodPut, "upload", "*", other},
		{"PUT, as it is committed", http.MethodPut, "upload", "Concat,Move,Copy", other},
		{"PUT, as it is moved", http.MethodPut, "upload", "Move at /docker/registry/v2/blobs/**", other},
		{"PUT, as it is linked", http.MethodPut, "upload", "Put at /**/_layers/**", other},
		{"a manifest by its tag", http.MethodGet, "/v2/a/b/manifests/v1", "*", nil},
		{"a manifest's content", http.MethodGet, "/v2/a/b/manifests/v1", "Read at /docker/registry/v2/blobs/**", nil},
		{"HEAD of a manifest", http.MethodHead, "/v2/a/b/manifests/v1", "*", nil},
		{"a manifest by its digest", http.MethodGet, "/v2/a/b/manifests/%s", "*", nil},
		{"PUT of a manifest", http.MethodPut, "/v2/a/b/manifests/v2", "*", []byte("manifest")},
		{"PUT of a manifest, as it is tagged", http.MethodPut, "/v2/a/b/manifests/v2", "Put at /**/_manifests/tags/**", []byte("manifest")},
		{"DELETE of a manifest", http.MethodDelete, "/v2/a/b/manifests/%s", "*", nil},
		{"tags", http.MethodGet, "/v2/a/b/tags/list", "*", nil},
		{"tags by page", http.MethodGet, "/v2/a/b/tags/list?n=1", "*", nil},
		{"catalog", http.MethodGet, "/v2/_catalog", "*", nil},
	} {
		for _, failure := range []struct {
			kind, retryAfter, code string
			status                 int
		}{
			{"unavailable temporary retry-after 6500ms", "7", "UNAVAILABLE", http.StatusServiceUnavailable},
			{"deadline-exceeded", "1", "UNAVAILABLE", http.StatusServiceUnavailable},
			{"limit-reached temporary", "1", "TOOMANYREQUESTS", http.StatusTooManyRequests},
			{"no-space", "", "DENIED", http.StatusInsufficientStorage},
			{"permission-denied", "", "UNKNOWN", http.StatusInternalServerError},
		} {
			t.Run(c.name+", "+failure.kind, func(t *testing.T) {
				well, failing := failingClient(t, "fail before "+failure.kind+" on "+c.operations)
				manifest, _ := well.pushImage("a/b", "v1", content)
				path, body := c.path, c.body
				switch {
				case path == "upload":
					path = strings.TrimPrefix(well.begin("a/b"), well.base)
					if c.method == http.MethodPut {
						path += "&digest=" + digest.FromBytes(other).String()
					}
				case strings.Contains(path, "%s"):
					path = fmt.Sprintf(path, manifest)
				case body != nil:
					body = well.do(http.MethodGet, "/v2/a/b/manifests/v1", nil, http.Header{"Accept": {manifestType}}, http.StatusOK).body
				}
				header := http.Header{"Accept": {manifestType}}
				if body != nil {
					header.Set("Content-Type", "application/octet-stream")
					if !strings.Contains(path, "uploads") {
						header.Set("Content-Type", manifestType)
					}
				}
				a := failing.do(c.method, path, bytes.NewReader(body), header, anyStatus...)
				expectFailure(t, a, failure.status, failure.code, failure.retryAfter)
			})
		}
	}
}

// TestAPATCHWhoseBytesAreLostIsNotAccepted: distribution does not look whether an upload could be suspended. crane begins a blob anew on
// BLOB_UPLOAD_INVALID and UNKNOWN, not on RANGE_INVALID.
func TestAPATCHWhoseBytesAreLostIsNotAccepted(t *testing.T) {
	for _, c := range []struct {
		failure, code, retryAfter string
		status                    int
	}{
		{"conflict", "BLOB_UPLOAD_INVALID", "", http.StatusRequestedRangeNotSatisfiable},
		{"corrupt", "UNKNOWN", "", http.StatusInternalServerError},
		{"not-found", "UNKNOWN", "", http.StatusInternalServerError},
		{"unavailable temporary retry-after 6500ms", "UNAVAILABLE", "7", http.StatusServiceUnavailable},
		{"permission-denied", "UNKNOWN", "", http.StatusInternalServerError},
	} {
		t.Run(c.failure, func(t *testing.T) {
			well, failing := failingClient(t, "fail before "+c.failure+" on Put at /**/_uploads/*/data*/**")
			path := strings.TrimPrefix(well.begin("a/b"), well.base)
			content := pattern(500) // less than a part: it is stored as the upload is suspended
			a := failing.do(http.MethodPatch, path, bytes.NewReader(content), http.Header{"Content-Type": {"application/octet-stream"}}, anyStatus...)
			expectFailure(t, a, c.status, c.code, c.retryAfter)
			d := well.push("a/b", content) // anew, as the client does
			if got := well.do(http.MethodGet, "/v2/a/b/blobs/"+d.String(), nil, nil, http.StatusOK); !bytes.Equal(got.body, content) {
				t.Errorf("got %d other bytes than the %d pushed again", len(got.body), len(content))
			}
		})
	}
}

// TestABodyThatBreaksIsCut: what has begun is not completed by anything else.
func TestABodyThatBreaksIsCut(t *testing.T) {
	well, failing := failingClient(t, "fail body 5000 unavailable temporary on Read at /docker/registry/v2/blobs/*/*/*/data")
	d := well.push("a/b", pattern(200_000))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, failing.base+"/v2/a/b/blobs/"+d.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := failing.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got bytes.Buffer
	_, err = got.ReadFrom(response.Body)
	if response.StatusCode != http.StatusOK || err == nil || got.Len() > 5000 || !bytes.HasPrefix(pattern(200_000), got.Bytes()) {
		t.Errorf("got %s, %d bytes, %v; want the first 5000 of 200000 bytes at most, then an error", response.Status, got.Len(), err)
	}
}

// TestAFailureThatWasGotOverIsNotAnswered: only a request that fails says why.
func TestAFailureThatWasGotOverIsNotAnswered(t *testing.T) {
	well, failing := failingClient(t, "fail before unavailable temporary on *")
	well.push("a/b", pattern(1000))
	a := failing.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK)
	if a.Header.Get("Retry-After") != "" {
		t.Errorf("got Retry-After %q of a request without the storage", a.Header.Get("Retry-After"))
	}
	missing := digest.FromString("nothing")
	a = well.do(http.MethodGet, "/v2/a/b/blobs/"+missing.String(), nil, nil, http.StatusNotFound)
	if !strings.Contains(string(a.body), "BLOB_UNKNOWN") {
		t.Errorf("got %s", a.body)
	}
	well.push("a/b", nil) // an empty blob has nothing to begin with
	if got := well.pull("a/b", digest.FromBytes(nil)); len(got) != 0 {
		t.Errorf("got %d bytes", len(got))
	}
}
