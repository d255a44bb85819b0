package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
)

// testConfig is a configuration that says nothing and keeps nothing on disk.
func testConfig() *registry.Config {
	config := registry.DefaultConfig("127.0.0.1:0", "/nowhere")
	config.HTTP.Secret = "shared by all replicas"
	config.Log.Level = "error"
	config.Log.AccessLog.Disabled = true
	return config
}

// client speaks the registry's API to one server.
type client struct {
	t    *testing.T
	base string
	http *http.Client
}

// newClient starts a registry on d and returns a client of it.
func newClient(t *testing.T, d storagedriver.StorageDriver, config *registry.Config) *client {
	t.Helper()
	h, err := registry.NewHandler(t.Context(), d, config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return &client{t: t, base: server.URL, http: server.Client()}
}

type answer struct {
	*http.Response
	body []byte
}

// do sends a request and expects one of the statuses.
func (c *client) do(method, target string, body io.Reader, header http.Header, want ...int) answer {
	c.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = c.base + target
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	for key, values := range header {
		r.Header[key] = values
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, status := range want {
		if response.StatusCode == status {
			return answer{response, content}
		}
	}
	c.t.Fatalf("%s %s: got %s %s, want %v", method, target, response.Status, content, want)
	return answer{}
}

// location is where the server said to go on, with query added, at this client's server.
func (c *client) location(a answer, query ...string) string {
	c.t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || u.Path == "" {
		c.t.Fatalf("Location: %q, %v", a.Header.Get("Location"), err)
	}
	q := u.Query()
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return c.base + u.Path + "?" + q.Encode()
}

func (c *client) begin(repository string) string {
	c.t.Helper()
	return c.location(c.do(http.MethodPost, "/v2/"+repository+"/blobs/uploads/", nil, nil, http.StatusAccepted))
}

// add returns u with one more query parameter.
func (c *client) add(u, key, value string) string {
	return u + "&" + key + "=" + url.QueryEscape(value)
}

// push uploads content in one PUT.
func (c *client) push(repository string, content []byte) digest.Digest {
	c.t.Helper()
	d := digest.FromBytes(content)
	c.do(http.MethodPut, c.add(c.begin(repository), "digest", d.String()), bytes.NewReader(content), nil, http.StatusCreated)
	return d
}

func (c *client) pull(repository string, d digest.Digest) []byte {
	c.t.Helper()
	return c.do(http.MethodGet, "/v2/"+repository+"/blobs/"+d.String(), nil, nil, http.StatusOK).body
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// pushImage pushes an image of one layer and returns its manifest's and its layer's digest.
func (c *client) pushImage(repository, tag string, layer []byte) (manifest, layerDigest digest.Digest) {
	c.t.Helper()
	config := []byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","comment":%q}`, tag))
	type descriptor struct {
		MediaType string        `json:"mediaType"`
		Digest    digest.Digest `json:"digest"`
		Size      int           `json:"size"`
	}
	layerDigest = c.push(repository, layer)
	content, err := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        descriptor{"application/vnd.oci.image.config.v1+json", c.push(repository, config), len(config)},
		"layers":        []descriptor{{"application/vnd.oci.image.layer.v1.tar", layerDigest, len(layer)}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.do(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, bytes.NewReader(content), http.Header{"Content-Type": {manifestType}}, http.StatusCreated)
	return digest.FromBytes(content), layerDigest
}

// list follows the pages of a listing and returns what stands under key.
func (c *client) list(path, key string) []string {
	c.t.Helper()
	var all []string
	for path != "" {
		a := c.do(http.MethodGet, path, nil, nil, http.StatusOK)
		var page map[string]json.RawMessage
		var names []string
		if err := json.Unmarshal(a.body, &page); err != nil {
			c.t.Fatal(err)
		}
		if err := json.Unmarshal(page[key], &names); err != nil {
			c.t.Fatalf("%s: %v", a.body, err)
		}
		all = append(all, names...)
		path = ""
		if link := a.Header.Get("Link"); link != "" {
			path = link[1:strings.Index(link, ">")]
		}
	}
	return all
}
