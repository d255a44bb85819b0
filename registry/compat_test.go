package registry_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/opencontainers/go-digest"
)

// openTheirs returns distribution's own driver of the files below root.
func openTheirs(root string) storagedriver.StorageDriver {
	return registry.FromDistribution(theirs.New(theirs.DriverParameters{RootDirectory: root, MaxThreads: 100}))
}

func TestWhatDistributionWroteIsReadAndTheOtherWayRound(t *testing.T) {
	content := pattern(100_000)
	for name, c := range map[string]struct {
		writer, reader func(t *testing.T, root string) storagedriver.StorageDriver
	}{
		"theirs, then ours": {func(_ *testing.T, root string) storagedriver.StorageDriver { return openTheirs(root) }, openFiles},
		"ours, then theirs": {openFiles, func(_ *testing.T, root string) storagedriver.StorageDriver { return openTheirs(root) }},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			manifest, layer := newClient(t, c.writer(t, root), testConfig()).pushImage("a/b", "v1", content)
			reader := newClient(t, c.reader(t, root), testConfig())
			a := reader.do(http.MethodGet, "/v2/a/b/manifests/v1", nil, http.Header{"Accept": {manifestType}}, http.StatusOK)
			if got := digest.FromBytes(a.body); got != manifest {
				t.Errorf("manifest: got %s, want %s", got, manifest)
			}
			if !bytes.Equal(reader.pull("a/b", layer), content) {
				t.Error("the layer is another")
			}
		})
	}
}

func TestUploadThatDistributionBeganIsContinued(t *testing.T) {
	root := t.TempDir()
	content := pattern(100_000)
	begun := newClient(t, openTheirs(root), testConfig())
	at := begun.location(begun.do(http.MethodPatch, begun.begin("a/b"), bytes.NewReader(content[:40_000]), nil, http.StatusAccepted))
	c := newClient(t, openFiles(t, root), testConfig())
	at = c.base + at[len(begun.base):]
	if got := c.received(at); got != 40_000 {
		t.Fatalf("received: got %d, want 40000", got)
	}
	resume(t, c, at, content, 40_000)
}
