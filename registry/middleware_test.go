package registry_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
)

// redirecting is a store that sends clients to itself.
type redirecting struct{ storagedriver.StorageDriver }

func (redirecting) RedirectURL(_ context.Context, path string, _ storagedriver.RedirectOptions) (string, error) {
	return "http://storage.example.com/bucket" + path + "?signature=x", nil
}

// redirectOf pulls a blob and returns where the registry sends the client, "" for nowhere.
func redirectOf(t *testing.T, store storagedriver.StorageDriver, sections string) string {
	t.Helper()
	config := parse(t, "version: 0.1\nlog: {level: error}\nhttp: {secret: s}\n"+sections)
	c := newClient(t, store, config)
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d := c.push("a/b", pattern(1000))
	a := c.do(http.MethodGet, "/v2/a/b/blobs/"+d.String(), nil, nil, http.StatusOK, http.StatusTemporaryRedirect)
	if (a.StatusCode == http.StatusOK) != (a.Header.Get("Location") == "") {
		t.Errorf("got %s with Location %q", a.Status, a.Header.Get("Location"))
	}
	return a.Header.Get("Location")
}

func TestRedirectsAndTheirMiddleware(t *testing.T) {
	d := digest.FromBytes(pattern(1000))
	path := "/docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
	for name, c := range map[string]struct{ sections, want string }{
		"the storage's own": {"storage: inmemory\n", "http://storage.example.com/bucket" + path + "?signature=x"},
		"disabled":          {"storage: {inmemory: {}, redirect: {disable: true}}\n", ""},
		"not disabled":      {"storage: {inmemory: {}, redirect: {disable: false}}\n", "http://storage.example.com/bucket" + path + "?signature=x"},
		"redirect": {
			"storage: inmemory\nmiddleware: {storage: [{name: redirect, options: {baseurl: 'https://cdn.example.com:5443/base'}}]}\n",
			"https://cdn.example.com:5443/base" + path,
		},
		"rewrite": {
			"storage: inmemory\nmiddleware: {storage: [{name: rewrite, options: {scheme: https, host: cdn.example.com, trimpathprefix: /bucket}}]}\n",
			"https://cdn.example.com" + path + "?signature=x",
		},
		"one after the other": {
			"storage: inmemory\nmiddleware: {storage: [{name: redirect, options: {baseurl: 'https://a.example.com/x'}}, {name: rewrite, options: {host: b.example.com}}]}\n",
			"https://b.example.com/x" + path,
		},
		"one that is switched off": {
			"storage: inmemory\nmiddleware: {storage: [{name: redirect, disabled: true, options: {baseurl: 'https://a.example.com/x'}}]}\n",
			"http://storage.example.com/bucket" + path + "?signature=x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := redirectOf(t, redirecting{newStore(t)}, c.sections); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestConfigurationIsNotChanged(t *testing.T) {
	config := parse(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\n"+
		"middleware: {storage: [{name: redirect, disabled: true, options: {baseurl: 'https://a/'}}]}\n"+
		"validation: {manifests: {urls: {allow: [^a], deny: [b]}}}\n")
	newClient(t, newStore(t), config)
	urls := config.Validation.Manifests.URLs
	if len(config.Middleware["storage"]) != 1 || urls.Allow[0] != "^a" || urls.Deny[0] != "b" {
		t.Errorf("got %+v and %+v, want what was given", config.Middleware, urls)
	}
}

func TestMiddlewareThatIsNotThereIsOneLine(t *testing.T) {
	for where, text := range map[string]string{"registry": "registry middleware", "storage": "storage middleware"} {
		config := parseTheirs(t, "version: 0.1\nstorage: inmemory\nhttp: {secret: s}\nmiddleware: {"+where+": [{name: nobody}]}\n")
		_, err := registry.NewHandler(t.Context(), newStore(t), config)
		expectOneLine(t, err, text, "nobody")
	}
}
