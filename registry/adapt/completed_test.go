package adapt_test

import (
	"context"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
)

// finalizing appends to nothing that is committed.
type finalizing struct{ storagedriver.StorageDriver }

func (f finalizing) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	if _, err := f.Stat(ctx, path); append && err == nil {
		return nil, storagedriver.NewError(storagedriver.KindUnsupported, "there is committed content")
	}
	return f.StorageDriver.Writer(ctx, path, append)
}

// TestAnUploadThatIsCommittedAlreadyIsCompletedAgain: what a process that ended between the two steps of a commit leaves.
func TestAnUploadThatIsCommittedAlreadyIsCompletedAgain(t *testing.T) {
	store, _, ctx, first := upTo10(t)
	if err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	d := adapt.ToDistribution(finalizing{store})
	w, err := d.Writer(ctx, upload+"/data", true)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Size(); got != 10 {
		t.Errorf("Size: want the 10 bytes that are committed, got %d", got)
	}
	if n, err := w.Write([]byte("more")); n != 0 || err == nil {
		t.Errorf("Write: want nothing accepted, got %d bytes, %v", n, err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Errorf("Commit: %v", err)
	}
	if info, err := store.Stat(ctx, upload+"/data"); err != nil || info.Size() != 10 {
		t.Errorf("want the content as it was, got %v, %v", info, err)
	}
	const blob = "/docker/registry/v2/blobs/sha256/ab/abcd/data"
	if err := d.PutContent(ctx, blob, []byte("content")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Writer(ctx, blob, true); err == nil {
		t.Error("Writer on other committed content: want the driver's refusal, got none")
	}
}
