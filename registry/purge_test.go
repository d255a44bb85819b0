package registry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

const week = 168 * time.Hour

func uploadOf(repository, id string) string {
	return repositoriesRoot + "/" + repository + "/_uploads/" + id
}

// uploads returns a store with unfinished uploads begun at now, and a purger of it.
func uploads(t *testing.T, now time.Time) (storagedriver.StorageDriver, *purger) {
	t.Helper()
	d := layers.Complete(inmemory.New())
	for path, content := range map[string]string{
		uploadOf("a", "old") + "/startedat":                       now.Add(-week - time.Minute).Format(time.RFC3339),
		uploadOf("a", "old") + "/data":                            "content",
		uploadOf("a/b", "old") + "/startedat":                     now.Add(-week - time.Minute).Format(time.RFC3339),
		uploadOf("a/b", "young") + "/startedat":                   now.Add(-week + time.Minute).Format(time.RFC3339),
		uploadOf("c", "left") + "/hashstates/sha256/10":           "state",
		repositoriesRoot + "/a/_manifests/tags/_uploads/old/link": "a tag",
	} {
		if err := d.PutContent(t.Context(), path, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := parsePurge(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	return d, &purger{purgeSettings: settings, d: d, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
}

func expectRemoved(t *testing.T, d storagedriver.StorageDriver, removed []string, want ...string) {
	t.Helper()
	slices.Sort(removed)
	slices.Sort(want)
	if !slices.Equal(removed, want) {
		t.Errorf("removed\n%q\nwant\n%q", removed, want)
	}
}

func TestPurgeRemovesOldUploadsOnly(t *testing.T) {
	d, p := uploads(t, time.Now())
	removed, err := p.purge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expectRemoved(t, d, removed, uploadOf("a", "old"), uploadOf("a/b", "old"))
	for path, want := range map[string]bool{
		uploadOf("a", "old"): false, uploadOf("a/b", "old"): false, uploadOf("a/b", "young"): true, uploadOf("c", "left"): true,
		repositoriesRoot + "/a/_manifests/tags/_uploads/old/link": true,
	} {
		if _, err := d.Stat(t.Context(), path); (err == nil) != want {
			t.Errorf("%s: is there %v, want %v", path, err == nil, want)
		}
	}
}

func TestPurgeRemovesWhatARemovedUploadLeft(t *testing.T) {
	d, p := uploads(t, time.Now().Add(2*week))
	removed, err := p.purge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(removed, uploadOf("c", "left")) {
		t.Errorf("removed %q, want the remains without startedat among them", removed)
	}
	expectRemoved(t, d, removed, uploadOf("a", "old"), uploadOf("a/b", "old"), uploadOf("c", "left"))
}

func TestDryPurgeRemovesNothing(t *testing.T) {
	d, p := uploads(t, time.Now())
	p.dryRun = true
	removed, err := p.purge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expectRemoved(t, d, removed, uploadOf("a", "old"), uploadOf("a/b", "old"))
	if _, err := d.Stat(t.Context(), uploadOf("a", "old")); err != nil {
		t.Errorf("a dry purge removed: %v", err)
	}
}

func TestPurgeOfAnEmptyStoreIsNoError(t *testing.T) {
	_, p := uploads(t, time.Now())
	p.d = layers.Complete(inmemory.New())
	if removed, err := p.purge(t.Context()); err != nil || len(removed) > 0 {
		t.Errorf("got %q, %v", removed, err)
	}
}

// stubborn refuses to delete one upload.
type stubborn struct {
	storagedriver.StorageDriver
	path string
	err  error
}

func (s stubborn) Delete(ctx context.Context, path string) error {
	if path == s.path {
		return s.err
	}
	return s.StorageDriver.Delete(ctx, path)
}

func TestPurgeGoesOnAfterAFailure(t *testing.T) {
	d, p := uploads(t, time.Now())
	failure := errors.New("refused")
	p.d = stubborn{StorageDriver: d, path: uploadOf("a", "old"), err: failure}
	removed, err := p.purge(t.Context())
	if !errors.Is(err, failure) {
		t.Errorf("got %v, want the failure", err)
	}
	expectRemoved(t, d, removed, uploadOf("a/b", "old"))
}

func TestPurgerStopsWithItsContext(t *testing.T) {
	_, p := uploads(t, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.run(ctx) // returns
}
