package registry_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
)

// upstream is a registry that asks for a password and can be stopped.
type upstream struct {
	*httptest.Server
	manifest, layer digest.Digest
	content         []byte
}

// newUpstream has the image a/b:v1, and a/b:v2, which nobody pulls before it stops.
func newUpstream(t *testing.T) *upstream {
	t.Helper()
	store := newStore(t)
	u := &upstream{content: pattern(200_000)}
	filler := newClient(t, store, testConfig())
	u.manifest, u.layer = filler.pushImage("a/b", "v1", u.content)
	filler.pushImage("a/b", "v2", pattern(10))
	config := parse(t, start+"storage: inmemory\nauth: {htpasswd: {realm: r, path: "+passwords(t, "user", "secret")+"}}\n")
	h, err := registry.NewHandler(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	u.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		u.Server.Close()
		closeDefaultTransport(t)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// closeDefaultTransport ends the idle connections of distribution's clients, which use it.
func closeDefaultTransport(t *testing.T) {
	t.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// proxyOf is a client of a pull-through cache of the upstream.
func proxyOf(t *testing.T, u *upstream, store storagedriver.StorageDriver, more string) *client {
	t.Helper()
	config := parse(t, start+"storage: {inmemory: {}, delete: {enabled: true}}\nproxy: {remoteurl: '"+u.URL+"', username: user, password: secret"+more+"}\n")
	return newClient(t, store, config)
}

func (c *client) getManifest(repository, reference string, want ...int) answer {
	c.t.Helper()
	return c.do(http.MethodGet, "/v2/"+repository+"/manifests/"+reference, nil, http.Header{"Accept": {manifestType}}, want...)
}

func TestPullThroughCacheServesWhatItPulledWithoutUpstream(t *testing.T) {
	u, store := newUpstream(t), newStore(t)
	c := proxyOf(t, u, store, "")
	if got := digest.FromBytes(c.getManifest("a/b", "v1", http.StatusOK).body); got != u.manifest {
		t.Errorf("manifest: got %s, want %s", got, u.manifest)
	}
	if !bytes.Equal(c.pull("a/b", u.layer), u.content) {
		t.Error("the layer is another")
	}
	data := "/docker/registry/v2/blobs/sha256/" + u.layer.Encoded()[:2] + "/" + u.layer.Encoded() + "/data"
	eventually(t, "the layer is kept", func() bool { _, err := store.Stat(t.Context(), data); return err == nil })

	u.Close()
	if got := digest.FromBytes(c.getManifest("a/b", u.manifest.String(), http.StatusOK).body); got != u.manifest {
		t.Errorf("without upstream: manifest %s, want %s", got, u.manifest)
	}
	if !bytes.Equal(c.pull("a/b", u.layer), u.content) {
		t.Error("without upstream: the layer is another")
	}
	if a := c.getManifest("a/b", "v2", http.StatusNotFound); len(a.body) == 0 {
		t.Error("what was never pulled: got no reason")
	}
}

func TestPullThroughCacheRefusesPushes(t *testing.T) {
	c := proxyOf(t, newUpstream(t), newStore(t), "")
	a := c.do(http.MethodPost, "/v2/a/b/blobs/uploads/", nil, nil, http.StatusMethodNotAllowed)
	if !strings.Contains(string(a.body), "UNSUPPORTED") {
		t.Errorf("got %s", a.body)
	}
	c.putManifest("a/b", manifestType, map[string]any{"schemaVersion": 2, "mediaType": manifestType}, http.StatusMethodNotAllowed)
}

func TestPullThroughCacheExpires(t *testing.T) {
	u, store := newUpstream(t), newStore(t)
	c := proxyOf(t, u, store, ", ttl: 100ms")
	c.pull("a/b", u.layer)
	data := "/docker/registry/v2/blobs/sha256/" + u.layer.Encoded()[:2] + "/" + u.layer.Encoded() + "/data"
	link := "/docker/registry/v2/repositories/a/b/_layers/sha256/" + u.layer.Encoded() + "/link"
	eventually(t, "the layer is gone after its time", func() bool {
		_, dataErr := store.Stat(t.Context(), data)
		_, linkErr := store.Stat(t.Context(), link)
		return storagedriver.KindOf(dataErr) == storagedriver.KindNotFound && storagedriver.KindOf(linkErr) == storagedriver.KindNotFound
	})
	if !bytes.Equal(c.pull("a/b", u.layer), u.content) {
		t.Error("the layer that is pulled anew is another")
	}
}

func TestPullThroughCacheTakesItsPasswordFromACommand(t *testing.T) {
	u := newUpstream(t)
	dir := t.TempDir()
	command := filepath.Join(dir, "docker-credential-test")
	script := "#!/bin/sh\ncat > /dev/null\necho '{\"ServerURL\":\"x\",\"Username\":\"user\",\"Secret\":\"secret\"}'\n"
	if err := os.WriteFile(command, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	config := parse(t, start+"storage: inmemory\nproxy: {remoteurl: '"+u.URL+"', exec: {command: docker-credential-test, lifetime: 1h}}\n")
	c := newClient(t, newStore(t), config)
	if !bytes.Equal(c.pull("a/b", u.layer), u.content) {
		t.Error("the layer is another")
	}
}

func TestPullThroughCacheWithAWrongPasswordPullsNothing(t *testing.T) {
	u := newUpstream(t)
	config := parse(t, start+"storage: inmemory\nproxy: {remoteurl: '"+u.URL+"', username: user, password: wrong}\n")
	c := newClient(t, newStore(t), config)
	if a := c.getManifest("a/b", "v1", http.StatusNotFound); strings.Contains(string(a.body), "wrong") {
		t.Errorf("the answer holds the password: %s", a.body)
	}
}

// TestPullThroughCacheWhoseRegistryIsDown: it is worth another try, and no mistake of the configuration.
func TestPullThroughCacheWhoseRegistryIsDown(t *testing.T) {
	config := parse(t, start+"storage: inmemory\nproxy: {remoteurl: 'http://me:sesame@127.0.0.1:1', ttl: 0s}\n")
	_, err := registry.NewHandler(t.Context(), newStore(t), config)
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "proxy.remoteurl: Get ") || strings.Contains(err.Error(), "sesame") {
		t.Errorf("got %v, want KindUnavailable and the key's name", err)
	}
}

// TestPullThroughCacheRemembersTimesAcrossARestart stops the cache before the time of a layer is over, and
// has the next one remove it.
func TestPullThroughCacheRemembersTimesAcrossARestart(t *testing.T) {
	u, store := newUpstream(t), newStore(t)
	config := parse(t, fmt.Sprintf(start+"storage: {inmemory: {}, delete: {enabled: true}}\nproxy: {remoteurl: '%s', username: user, password: secret, ttl: 2s, cachewritetimeout: 1m}\n", u.URL))
	h, err := registry.NewHandler(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	first := &client{t: t, base: server.URL, http: server.Client()}
	pulled := time.Now()
	first.pull("a/b", u.layer)
	data := "/docker/registry/v2/blobs/sha256/" + u.layer.Encoded()[:2] + "/" + u.layer.Encoded() + "/data"
	eventually(t, "the layer is kept", func() bool { _, err := store.Stat(t.Context(), data); return err == nil })
	server.Close()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), "/scheduler-state.json"); err != nil {
		t.Fatalf("the times are not kept: %v", err)
	}
	newClient(t, store, config)
	eventually(t, "the next one removes the layer", func() bool {
		_, err := store.Stat(t.Context(), data)
		return storagedriver.KindOf(err) == storagedriver.KindNotFound
	})
	if lived := time.Since(pulled); lived < 2*time.Second {
		t.Errorf("the layer was removed after %s, want at least 2s", lived)
	}
}

// TestPullThroughCacheKeepsWhatMayNotBeDeleted is why a configuration of a cache without
// storage.delete.enabled has a warning: what is over cannot be removed.
func TestPullThroughCacheKeepsWhatMayNotBeDeleted(t *testing.T) {
	u, store := newUpstream(t), newStore(t)
	log := captureLog(t)
	config := parse(t, start+"storage: inmemory\nproxy: {remoteurl: '"+u.URL+"', username: user, password: secret, ttl: 50ms}\n")
	newClient(t, store, config).pull("a/b", u.layer)
	eventually(t, "the expiry fails", func() bool {
		text := log.String()
		return strings.Contains(text, "Scheduler error returned from OnExpire") && strings.Contains(text, "unsupported")
	})
	link := "/docker/registry/v2/repositories/a/b/_layers/sha256/" + u.layer.Encoded() + "/link"
	if _, err := store.Stat(t.Context(), link); err != nil {
		t.Errorf("the layer is gone: %v", err)
	}
}
