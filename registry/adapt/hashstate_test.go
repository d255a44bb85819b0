package adapt_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

const (
	upload  = "/docker/registry/v2/repositories/a/b/_uploads/123"
	state10 = upload + "/hashstates/sha256/10"
)

// stored is where the adapter keeps the hash state that distribution calls path.
func stored(path string) string { return strings.Replace(path, upload, upload+"/berth", 1) }

// upTo10 returns a store with a begun upload, its adapter, the context of a request and a
// writer of that request that has accepted 10 bytes.
func upTo10(t *testing.T) (storagedriver.StorageDriver, driver.StorageDriver, context.Context, driver.FileWriter) {
	t.Helper()
	store := adapt.FromDistribution(theirs.New())
	d := adapt.ToDistribution(store)
	ctx := adapt.WithRequest(t.Context())
	if err := d.PutContent(ctx, upload+"/startedat", []byte("2006-01-02T15:04:05Z")); err != nil {
		t.Fatal(err)
	}
	w, err := d.Writer(ctx, upload+"/data", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(strings.Repeat("x", 10))); err != nil {
		t.Fatal(err)
	}
	return store, d, ctx, w
}

func expectStored(t *testing.T, store storagedriver.StorageDriver, path string, want bool) {
	t.Helper()
	_, err := store.Stat(context.Background(), path)
	if got := err == nil; got != want {
		t.Errorf("%s: stored %v (%v), want %v", path, got, err, want)
	}
}

func TestHashStateIsStoredWhenTheRequestIsGone(t *testing.T) {
	store, d, ctx, _ := upTo10(t)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.PutContent(ctx, state10, []byte("state")); err != nil {
		t.Fatal(err)
	}
	expectStored(t, store, stored(state10), true)
}

func TestHashStateIsStoredWithoutARequest(t *testing.T) {
	store, d, _, _ := upTo10(t)
	if err := d.PutContent(context.Background(), state10, []byte("state")); err != nil {
		t.Fatal(err)
	}
	expectStored(t, store, stored(state10), true)
}

func TestHashStateThatCannotBeOfUseIsNotStored(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		before func(ctx context.Context, d driver.StorageDriver, w driver.FileWriter) error
	}{
		"at offset 0": {path: upload + "/hashstates/sha256/0"},
		"at an offset that is not the upload's size": {path: upload + "/hashstates/sha256/9"},
		"after commit": {path: state10, before: func(ctx context.Context, _ driver.StorageDriver, w driver.FileWriter) error {
			return w.Commit(ctx)
		}},
		"after cancel": {path: state10, before: func(ctx context.Context, _ driver.StorageDriver, w driver.FileWriter) error {
			return w.Cancel(ctx)
		}},
		"after the upload's removal": {path: state10, before: func(ctx context.Context, d driver.StorageDriver, _ driver.FileWriter) error {
			return d.Delete(ctx, upload)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store, d, ctx, w := upTo10(t)
			if c.before != nil {
				if err := c.before(ctx, d, w); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.PutContent(ctx, c.path, []byte("state")); err != nil {
				t.Fatal(err)
			}
			expectStored(t, store, stored(c.path), false)
		})
	}
}

// TestHashStatesAreApartFromDistributions: what distribution stored about an upload says nothing about the bytes
// that we have of it, and the other way round.
func TestHashStatesAreApartFromDistributions(t *testing.T) {
	store, d, ctx, _ := upTo10(t)
	if err := store.PutContent(ctx, state10, []byte("theirs")); err != nil {
		t.Fatal(err)
	}
	dir := path.Dir(state10)
	if names, err := d.List(ctx, dir); len(names) > 0 || !errors.As(err, new(driver.PathNotFoundError)) {
		t.Errorf("want no hash state of distribution's, got %q, %v", names, err)
	}
	if err := d.PutContent(ctx, state10, []byte("ours")); err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(ctx, dir); err != nil || !slices.Equal(names, []string{state10}) {
		t.Errorf("want our hash state listed where distribution looks, got %q, %v", names, err)
	}
	if got, err := d.GetContent(ctx, state10); err != nil || string(got) != "ours" {
		t.Errorf("want our hash state, got %q, %v", got, err)
	}
	if got, err := store.GetContent(ctx, state10); err != nil || string(got) != "theirs" {
		t.Errorf("want distribution's hash state as it was, got %q, %v", got, err)
	}
}

// unsuspendable loses what its writers accepted.
type unsuspendable struct{ storagedriver.StorageDriver }

type losingWriter struct{ storagedriver.FileWriter }

func (unsuspendable) Writer(context.Context, string, bool) (storagedriver.FileWriter, error) {
	return &losingWriter{}, nil
}

func (*losingWriter) Write(p []byte) (int, error) { return len(p), nil }
func (*losingWriter) Size() int64                 { return 4 }
func (*losingWriter) Close() error {
	return storagedriver.NewError(storagedriver.KindUnavailable, "down")
}

func TestHashStateIsNotStoredAheadOfTheBytes(t *testing.T) {
	store, _, ctx, _ := upTo10(t)
	d := adapt.ToDistribution(unsuspendable{store})
	w, err := d.Writer(ctx, upload+"/data", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PutContent(ctx, state10, []byte("state")); err != nil {
		t.Fatal(err)
	}
	expectStored(t, store, stored(state10), false)
	if err := w.Close(); err == nil {
		t.Error("Close after a failed suspend: got nil, want the failure")
	}
}

func TestOtherContentIsNotTakenForAHashState(t *testing.T) {
	store, d, ctx, _ := upTo10(t)
	for _, path := range []string{
		"/docker/registry/v2/repositories/hashstates/sha256/0",
		"/docker/registry/v2/repositories/a/_uploads/1/hashstates/sha256/x",
		"/docker/registry/v2/repositories/a/hashstates/0/0",
	} {
		if err := d.PutContent(ctx, path, []byte("content")); err != nil {
			t.Fatal(err)
		}
		expectStored(t, store, path, true)
	}
}
