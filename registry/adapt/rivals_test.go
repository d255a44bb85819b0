package adapt_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
)

// another opens a second writer of the upload in a request of its own.
func another(t *testing.T, d driver.StorageDriver) (context.Context, driver.FileWriter) {
	t.Helper()
	ctx := adapt.WithRequest(t.Context())
	w, err := d.Writer(ctx, upload+"/data", true)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, w
}

// vouch stores a hash state at the writer's size and returns its path.
func vouch(t *testing.T, d driver.StorageDriver, ctx context.Context, w driver.FileWriter) string {
	t.Helper()
	path := fmt.Sprintf("%s/hashstates/sha256/%d", upload, w.Size())
	if err := d.PutContent(ctx, path, []byte("state")); err != nil {
		t.Fatal(err)
	}
	return stored(path)
}

func accept(t *testing.T, w driver.FileWriter, n int) {
	t.Helper()
	if _, err := w.Write([]byte(strings.Repeat("y", n))); err != nil {
		t.Fatal(err)
	}
}

func TestRivalsVouchForNothing(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	other, rival := another(t, d)
	accept(t, rival, 7)
	expectStored(t, store, vouch(t, d, ctx, w), false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expectStored(t, store, vouch(t, d, other, rival), false)

	// Whoever comes while the rival is still at work knows as little.
	third, late := another(t, d)
	accept(t, late, 3)
	expectStored(t, store, vouch(t, d, third, late), false)
}

// TestARivalThatComesLateRemovesHashStates: it was opened before the other had stored one, and
// may replace what that was made from.
func TestARivalThatComesLateRemovesHashStates(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	_, rival := another(t, d)
	path := vouch(t, d, ctx, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expectStored(t, store, path, true)
	accept(t, rival, 1)
	expectStored(t, store, path, false)
}

func TestOneWriterAfterTheOtherVouches(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	// Who asks for the status is no rival.
	_, status := another(t, d)
	first := vouch(t, d, ctx, w)
	for _, w := range []driver.FileWriter{status, w} {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	expectStored(t, store, first, true)
	next, second := another(t, d)
	accept(t, second, 5)
	expectStored(t, store, vouch(t, d, next, second), true)
	expectStored(t, store, first, true)

	// A writer that accepted nothing has nothing to say.
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), stored(upload+"/hashstates")); err != nil {
		t.Fatal(err)
	}
	idle, third := another(t, d)
	expectStored(t, store, vouch(t, d, idle, third), false)
}

// blobOf is where distribution keeps a blob.
func blobOf(content string) string {
	hex := digest.FromString(content).Encoded()
	return "/docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
}

// TestWhatRivalsCommitIsHashedOnceMore: what one has committed may be the other's when it becomes a blob.
func TestWhatRivalsCommitIsHashedOnceMore(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	other, rival := another(t, d)
	accept(t, rival, 5)
	for _, w := range []driver.FileWriter{w, rival} {
		if err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	content, err := store.GetContent(t.Context(), upload+"/data")
	if err != nil {
		t.Fatal(err)
	}
	wrong, right := blobOf("x"+string(content)), blobOf(string(content))
	for _, ctx := range []context.Context{ctx, other} {
		if err := d.Move(ctx, upload+"/data", wrong); err == nil {
			t.Error("Move of content that has another digest than the blob: want it refused")
		}
	}
	expectStored(t, store, wrong, false)
	if err := d.Move(other, upload+"/data", right); err != nil {
		t.Errorf("Move of content that has the digest of the blob: %v", err)
	}
	expectStored(t, store, right, true)
}

// TestARivalAfterTheCommit: distribution closes a writer that has committed before it moves the content, and a rival may
// come in between.
func TestARivalAfterTheCommit(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	content, err := store.GetContent(t.Context(), upload+"/data")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, rival := another(t, d)
	accept(t, rival, 5)
	if err := rival.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	blob := blobOf(string(content))
	if err := d.Move(ctx, upload+"/data", blob); err == nil {
		t.Error("Move after a rival has appended and committed: want it refused")
	}
	expectStored(t, store, blob, false)
}

// TestEndedRequestsAreNobodysRivals: what a request committed and did not move is open until it ends, and no longer.
func TestEndedRequestsAreNobodysRivals(t *testing.T) {
	store, d, ctx, w := upTo10(t)
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other, next := another(t, d)
	accept(t, next, 1)
	expectStored(t, store, vouch(t, d, other, next), false)
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	adapt.EndRequest(ctx)
	other, next = another(t, d)
	accept(t, next, 1)
	expectStored(t, store, vouch(t, d, other, next), true)
}
