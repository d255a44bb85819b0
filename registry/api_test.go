package registry_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/opencontainers/go-digest"
)

// pattern returns n bytes no part of which repeats at another offset within 16 MiB.
func pattern(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i) ^ byte(i>>8)*3 ^ byte(i>>16)*7
	}
	return out
}

func TestMonolithicPushAndPull(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		for _, n := range []int{0, 1, 1 << 20} {
			content := pattern(n)
			if got := c.pull("a/b", c.push("a/b", content)); !bytes.Equal(got, content) {
				t.Errorf("of %d bytes: got %d others", n, len(got))
			}
		}
	})
}

func TestChunkedPushAndRangedPull(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		content := pattern(300_000)
		at := c.begin("a/b")
		for _, chunk := range [][]byte{content[:100_000], content[100_000:100_001], content[100_001:250_000]} {
			a := c.do(http.MethodPatch, at, bytes.NewReader(chunk), nil, http.StatusAccepted)
			at = c.location(a)
		}
		d := digest.FromBytes(content)
		c.do(http.MethodPut, c.add(at, "digest", d.String()), bytes.NewReader(content[250_000:]), nil, http.StatusCreated)
		if got := c.pull("a/b", d); !bytes.Equal(got, content) {
			t.Error("the content is another")
		}
		part := c.do(http.MethodGet, "/v2/a/b/blobs/"+d.String(), nil, http.Header{"Range": {"bytes=99999-100001"}}, http.StatusPartialContent)
		if !bytes.Equal(part.body, content[99_999:100_002]) {
			t.Errorf("range: got %x, want %x", part.body, content[99_999:100_002])
		}
	})
}

func TestWrongDigestIsRefusedAndLeavesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		wrong := digest.FromString("something else")
		c.do(http.MethodPut, c.add(c.begin("a"), "digest", wrong.String()), bytes.NewReader(pattern(10)), nil, http.StatusBadRequest)
		c.do(http.MethodHead, "/v2/a/blobs/"+wrong.String(), nil, nil, http.StatusNotFound)
		expectNoUploads(t, store, "a")
	})
}

func TestCancelledUploadIsGone(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		at := c.location(c.do(http.MethodPatch, c.begin("a"), bytes.NewReader(pattern(1000)), nil, http.StatusAccepted))
		c.do(http.MethodDelete, at, nil, nil, http.StatusNoContent)
		c.do(http.MethodGet, at, nil, nil, http.StatusNotFound)
		expectNoUploads(t, store, "a")
	})
}

func TestFinishedUploadLeavesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		c.push("a", pattern(1000))
		expectNoUploads(t, store, "a")
	})
}

func TestMountFromAnotherRepository(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		content := pattern(5000)
		d := c.push("from", content)
		c.do(http.MethodPost, "/v2/to/blobs/uploads/?from=from&mount="+d.String(), nil, nil, http.StatusCreated)
		if got := c.pull("to", d); !bytes.Equal(got, content) {
			t.Error("the mounted content is another")
		}
		missing := digest.FromString("missing")
		c.do(http.MethodPost, "/v2/to/blobs/uploads/?from=from&mount="+missing.String(), nil, nil, http.StatusAccepted)
	})
}

func TestManifestsArePutGotTaggedAndDeleted(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		d, layer := c.pushImage("a/b", "v1", pattern(100))
		for _, reference := range []string{"v1", d.String()} {
			a := c.do(http.MethodGet, "/v2/a/b/manifests/"+reference, nil, http.Header{"Accept": {manifestType}}, http.StatusOK)
			if got := digest.FromBytes(a.body); got != d {
				t.Errorf("%s: got %s, want %s", reference, got, d)
			}
		}
		c.do(http.MethodGet, "/v2/a/b/manifests/v2", nil, nil, http.StatusNotFound)
		c.do(http.MethodGet, "/v2/b/manifests/v1", nil, nil, http.StatusNotFound)
		c.do(http.MethodDelete, "/v2/a/b/manifests/"+d.String(), nil, nil, http.StatusAccepted)
		c.do(http.MethodGet, "/v2/a/b/manifests/v1", nil, nil, http.StatusNotFound)
		c.do(http.MethodDelete, "/v2/a/b/blobs/"+layer.String(), nil, nil, http.StatusAccepted)
		c.do(http.MethodGet, "/v2/a/b/blobs/"+layer.String(), nil, nil, http.StatusNotFound)
	})
}

func TestTagsAreListedInOrderOnPagesOfAnySize(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		want := []string{"1", "1-alpine", "1.0", "1.0-alpine", "1.0.1", "2", "latest"}
		for _, tag := range []string{"2", "1.0", "1.0-alpine", "latest", "1-alpine", "1", "1.0.1"} {
			c.pushImage("a", tag, pattern(10))
		}
		for _, path := range []string{"/v2/a/tags/list", "/v2/a/tags/list?n=1", "/v2/a/tags/list?n=2", "/v2/a/tags/list?n=3"} {
			if got := c.list(path, "tags"); !slices.Equal(got, want) {
				t.Errorf("%s:\ngot  %q\nwant %q", path, got, want)
			}
		}
	})
}

func TestCatalogListsEveryRepositoryOnceOnPagesOfAnySize(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		want := []string{"a", "a/0", "a/c", "a/c/d", "a-b", "a.b", "a0", "b"}
		for _, repository := range want {
			c.pushImage(repository, "v1", pattern(10))
		}
		for _, path := range []string{"/v2/_catalog", "/v2/_catalog?n=1", "/v2/_catalog?n=2", "/v2/_catalog?n=3"} {
			if got := c.list(path, "repositories"); !slices.Equal(got, want) {
				t.Errorf("%s:\ngot  %q\nwant %q", path, got, want)
			}
		}
	})
}

func TestEmptyRegistryHasAnEmptyCatalog(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c := newClient(t, store, testConfig())
		if got := c.list("/v2/_catalog", "repositories"); len(got) != 0 {
			t.Errorf("got %q, want none", got)
		}
	})
}
