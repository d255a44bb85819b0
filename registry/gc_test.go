package registry_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
)

// collect runs a collection of store and returns what it reported, by kind.
func collect(t *testing.T, store storagedriver.StorageDriver, o registry.GarbageOptions) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	o.Config, o.Driver = testConfig(), store
	o.Progress = func(g registry.Garbage) {
		name := g.Digest
		if g.Repository != "" {
			name = g.Repository + "@" + g.Digest
		}
		found[g.Kind] = append(found[g.Kind], name)
	}
	if err := registry.GarbageCollect(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(c *client, repository string, d digest.Digest) bool {
	return c.do(http.MethodHead, "/v2/"+repository+"/blobs/"+d.String(), nil, nil, http.StatusOK, http.StatusNotFound).StatusCode == http.StatusOK
}

func TestGarbageCollectRemovesWhatNoManifestNames(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		_, kept := c.pushImage("a", "v1", pattern(1000))
		c.pushImage("b/c", "v1", pattern(3000)) // without it stores without directories forget the repository
		manifest, gone := c.pushImage("b/c", "v2", pattern(2000))
		c.do(http.MethodDelete, "/v2/b/c/manifests/"+manifest.String(), nil, nil, http.StatusAccepted)

		dry := collect(t, store, registry.GarbageOptions{DryRun: true})
		if !exists(c, "b/c", gone) {
			t.Error("a dry run removed a blob")
		}
		found := collect(t, store, registry.GarbageOptions{})
		for kind := range found {
			slices.Sort(found[kind])
			slices.Sort(dry[kind])
			if !slices.Equal(found[kind], dry[kind]) {
				t.Errorf("%s: the dry run said %q, the collection %q", kind, dry[kind], found[kind])
			}
		}
		if !slices.Contains(found["blob"], gone.String()) || !slices.Contains(found["blob"], manifest.String()) || len(found["blob"]) != 3 {
			t.Errorf("blobs: got %q, want manifest %s, layer %s and a configuration", found["blob"], manifest, gone)
		}
		if !slices.Contains(found["layer link"], "b/c@"+gone.String()) {
			t.Errorf("layer links: got %q", found["layer link"])
		}
		if exists(c, "b/c", gone) || !exists(c, "a", kept) {
			t.Errorf("collected %v, want true; kept %v, want true", !exists(c, "b/c", gone), exists(c, "a", kept))
		}
		if again := collect(t, store, registry.GarbageOptions{}); len(again) != 0 {
			t.Errorf("a second collection found %v", again)
		}
	})
}

func TestGarbageCollectRemovesUntaggedManifestsWhenAsked(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		untagged, layer := c.pushImage("a", "v1", pattern(1000))
		c.pushImage("a", "v1", pattern(2000))
		if found := collect(t, store, registry.GarbageOptions{}); len(found) != 0 {
			t.Errorf("without RemoveUntagged: found %v", found)
		}
		found := collect(t, store, registry.GarbageOptions{RemoveUntagged: true})
		if !slices.Contains(found["manifest"], "a@"+untagged.String()) || exists(c, "a", layer) {
			t.Errorf("found %v, want manifest %s; its layer is there %v, want false", found, untagged, exists(c, "a", layer))
		}
	})
}

func TestGarbageCollectOfAnEmptyStoreIsNoError(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		if found := collect(t, store, registry.GarbageOptions{}); len(found) != 0 {
			t.Errorf("found %v", found)
		}
	})
}

func TestGarbageCollectRefusesBlobsWithoutRepositories(t *testing.T) {
	store := newStore(t)
	d := newClient(t, store, testConfig()).push("a", pattern(10))
	if err := store.Delete(t.Context(), "/docker/registry/v2/repositories"); err != nil {
		t.Fatal(err)
	}
	err := registry.GarbageCollect(t.Context(), registry.GarbageOptions{Config: testConfig(), Driver: store})
	expectOneLine(t, err, "repositories")
	if _, err := store.Stat(t.Context(), "/docker/registry/v2/blobs/sha256/"+d.Encoded()[:2]+"/"+d.Encoded()); err != nil {
		t.Errorf("the blob is gone: %v", err)
	}
}

// failingReads fails every read of a manifest's link.
type failingReads struct{ storagedriver.StorageDriver }

func (failingReads) GetContent(context.Context, string) ([]byte, error) {
	return nil, &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("overloaded")}
}

func TestGarbageCollectFailsWithTheStoresError(t *testing.T) {
	store := newStore(t)
	_, layer := newClient(t, store, testConfig()).pushImage("a", "v1", pattern(10))
	err := registry.GarbageCollect(t.Context(), registry.GarbageOptions{Config: testConfig(), Driver: failingReads{store}})
	expectOneLine(t, err, "garbage-collect", "overloaded")
	if !storagedriver.IsTemporary(err) {
		t.Errorf("got %v, want it to be temporary", err)
	}
	if !exists(newClient(t, store, testConfig()), "a", layer) {
		t.Error("a failed collection removed a blob that is in use")
	}
}

func TestGarbageCollectStopsWithItsContext(t *testing.T) {
	store := newStore(t)
	c := newClient(t, store, testConfig())
	for i := range 3 {
		c.push("a", pattern(10+i))
	}
	c.pushImage("a", "v1", pattern(1000))
	ctx, cancel := context.WithCancel(t.Context())
	removed := 0
	err := registry.GarbageCollect(ctx, registry.GarbageOptions{Config: testConfig(), Driver: store, Progress: func(registry.Garbage) {
		removed++
		cancel()
	}})
	if !errors.Is(err, context.Canceled) || removed != 1 {
		t.Errorf("got %v after %d removals, want context.Canceled after 1", err, removed)
	}
}
