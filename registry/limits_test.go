package registry_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

const start = "version: 0.1\nlog: {level: error}\nhttp: {secret: s}\n"

func TestCatalogIsLimited(t *testing.T) {
	store := newStore(t)
	c := newClient(t, store, parse(t, start+"storage: inmemory\ncatalog: {maxentries: 2}\n"))
	for _, repository := range []string{"a", "b", "c"} {
		c.pushImage(repository, "v1", pattern(10))
	}
	a := c.do(http.MethodGet, "/v2/_catalog?n=3", nil, nil, http.StatusBadRequest)
	if !strings.Contains(string(a.body), "PAGINATION_NUMBER_INVALID") {
		t.Errorf("got %s", a.body)
	}
	for _, query := range []string{"", "?n=2"} {
		a = c.do(http.MethodGet, "/v2/_catalog"+query, nil, nil, http.StatusOK)
		if strings.TrimSpace(string(a.body)) != `{"repositories":["a","b"]}` || a.Header.Get("Link") == "" {
			t.Errorf("%q: got %s, Link %q", query, a.body, a.Header.Get("Link"))
		}
	}
	if got := c.list("/v2/_catalog", "repositories"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("all pages: got %q", got)
	}
}

func TestTagsAreLimited(t *testing.T) {
	c := newClient(t, newStore(t), parse(t, start+"storage: inmemory\ntags: {maxtags: 2}\n"))
	for _, tag := range []string{"1", "2", "3"} {
		c.pushImage("a", tag, pattern(10))
	}
	a := c.do(http.MethodGet, "/v2/a/tags/list?n=3", nil, nil, http.StatusOK)
	if strings.TrimSpace(string(a.body)) != `{"name":"a","tags":["1","2"]}` || !strings.Contains(a.Header.Get("Link"), "n=2") {
		t.Errorf("got %s, Link %q", a.body, a.Header.Get("Link"))
	}
}

func TestDeletionIsOffUnlessItIsEnabled(t *testing.T) {
	for section, want := range map[string]int{
		"storage: inmemory\n":                                                              http.StatusMethodNotAllowed,
		"storage: {inmemory: {}, delete: {enabled: no}}\n":                                 http.StatusMethodNotAllowed,
		"storage: {inmemory: {}, delete: {enabled: true}}\n":                               http.StatusAccepted,
		"storage: {inmemory: {}, delete: {enabled: yes}, tag: {concurrencylimit: 2}}\n":    http.StatusAccepted,
		"storage: {inmemory: {}, delete: {enabled: true}, cache: {layerinfo: inmemory}}\n": http.StatusAccepted,
	} {
		c := newClient(t, newStore(t), parse(t, start+section))
		manifest, layer := c.pushImage("a", "v1", pattern(10))
		c.do(http.MethodDelete, "/v2/a/manifests/"+manifest.String(), nil, nil, want)
		c.do(http.MethodDelete, "/v2/a/blobs/"+layer.String(), nil, nil, want)
	}
}

func TestReadOnlyRegistryRefusesEachChange(t *testing.T) {
	store := newStore(t)
	manifest, layer := newClient(t, store, testConfig()).pushImage("a", "v1", pattern(10))
	c := newClient(t, store, parse(t, start+"storage: {inmemory: {}, delete: {enabled: true}, maintenance: {readonly: {enabled: true}}}\n"))
	for _, request := range [][2]string{
		{http.MethodPost, "/v2/a/blobs/uploads/"},
		{http.MethodPut, "/v2/a/manifests/v2"},
		{http.MethodDelete, "/v2/a/manifests/" + manifest.String()},
		{http.MethodDelete, "/v2/a/blobs/" + layer.String()},
	} {
		c.do(request[0], request[1], nil, nil, http.StatusMethodNotAllowed)
	}
	c.do(http.MethodGet, "/v2/a/manifests/v1", nil, http.Header{"Accept": {manifestType}}, http.StatusOK)
	c.pull("a", layer)
}

// putManifest pushes a manifest and expects one of the statuses.
func (c *client) putManifest(repository, kind string, manifest any, want ...int) answer {
	c.t.Helper()
	content, err := json.Marshal(manifest)
	if err != nil {
		c.t.Fatal(err)
	}
	d := digest.FromBytes(content)
	return c.do(http.MethodPut, "/v2/"+repository+"/manifests/"+d.String(), bytes.NewReader(content), http.Header{"Content-Type": {kind}}, want...)
}

type descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    digest.Digest     `json:"digest"`
	Size      int               `json:"size"`
	URLs      []string          `json:"urls,omitempty"`
	Platform  map[string]string `json:"platform,omitempty"`
}

const (
	configType = "application/vnd.oci.image.config.v1+json"
	indexType  = "application/vnd.oci.image.index.v1+json"
)

func (c *client) imageWithURL(url string, want int) {
	c.t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	c.putManifest("a", manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor{MediaType: configType, Digest: c.push("a", config), Size: len(config)},
		"layers": []descriptor{{
			MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar", Digest: digest.FromString(url), Size: 1, URLs: []string{url},
		}},
	}, want)
}

// TestURLsInManifestsAreValidated has the status that distribution answers with, which is 500.
func TestURLsInManifestsAreValidated(t *testing.T) {
	const inside, outside, denied = "https://a.example.com/x", "https://elsewhere.org/x", "https://www.example.com/x"
	for section, want := range map[string][3]int{
		"":                               {500, 500, 500},
		"validation: {disabled: true}\n": {201, 201, 201},
		`validation: {manifests: {urls: {allow: ['^https://([^/]+\.)*example\.com/'], deny: ['^https://www\.']}}}` + "\n": {201, 500, 500},
		`validation: {manifests: {urls: {deny: ['^https://www\.']}}}` + "\n":                                              {201, 201, 500},
	} {
		c := newClient(t, newStore(t), parse(t, start+"storage: inmemory\n"+section))
		for i, url := range []string{inside, outside, denied} {
			c.imageWithURL(url, want[i])
		}
	}
}

func TestImagesOfAnIndexAreValidated(t *testing.T) {
	missing := func(os string) descriptor {
		return descriptor{MediaType: manifestType, Digest: digest.FromString(os), Size: 7, Platform: map[string]string{"architecture": "amd64", "os": os}}
	}
	for section, want := range map[string][2]int{
		"": {400, 400},
		"validation: {manifests: {indexes: {platforms: all}}}\n":                                                    {400, 400},
		"validation: {manifests: {indexes: {platforms: none}}}\n":                                                   {201, 201},
		"validation: {manifests: {indexes: {platforms: List, platformlist: [{architecture: amd64, os: linux}]}}}\n": {400, 201},
	} {
		c := newClient(t, newStore(t), parse(t, start+"storage: inmemory\n"+section))
		for i, os := range []string{"linux", "windows"} {
			c.putManifest("a", indexType, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{missing(os)}}, want[i])
		}
	}
}

// TestPolicyRefusesOtherClasses lets in plugins only.
func TestPolicyRefusesOtherClasses(t *testing.T) {
	c := newClient(t, newStore(t), parse(t, start+"storage: inmemory\npolicy: {repository: {classes: [plugin]}}\n"))
	config := []byte(`{}`)
	a := c.putManifest("a", manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor{MediaType: configType, Digest: c.push("a", config), Size: len(config)}, "layers": []descriptor{},
	}, http.StatusForbidden)
	if !strings.Contains(string(a.body), "registry does not allow image manifest") {
		t.Errorf("got %s", a.body)
	}
}
