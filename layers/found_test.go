package layers_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// TestWalkOfAFileWithFilesUnderIt begins after the last of them: nothing is called, and nothing is missing.
func TestWalkOfAFileWithFilesUnderIt(t *testing.T) {
	for _, can := range []storagedriver.Ability{0, storagedriver.AbilityListTree} {
		m := &chunkedtest.Memory{Can: can | storagedriver.AbilityFilesUnderFiles}
		d := layers.Complete(m)
		put(t, d, "/a", "/a/b", "/c")
		for _, after := range []string{"/a/b", "/a/b/c", "/b", "/z"} {
			got, err := walked(t, d, "/a", nil, storagedriver.WithStartAfterHint(after))
			ok(t, "Walk", err)
			wantWalk(t, "after "+after, got, nil)
			_, err = walked(t, d, "/c", nil, storagedriver.WithStartAfterHint(after))
			wantKind(t, "Walk of a file", err, storagedriver.KindNotFound)
		}
		ok(t, "Close", d.Close())
	}
}

// storing is inmemory with the five functions alone, in which another writer's part lands beside each file that
// is deleted, as often as is said.
type storing struct {
	*inmemory.Driver
	parts atomic.Int32
}

func (s *storing) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (s *storing) Delete(ctx context.Context, path string) error {
	err := s.Driver.Delete(ctx, path)
	if err == nil && s.parts.Add(-1) >= 0 {
		_ = s.Put(ctx, path+"~part", storagedriver.BytesSource("part"))
	}
	return err
}

// TestDeleteOfADirectoryThatIsWrittenTo wants what an upload below stores meanwhile to be removed as well.
func TestDeleteOfADirectoryThatIsWrittenTo(t *testing.T) {
	b := &storing{Driver: inmemory.New()}
	b.parts.Store(4) // as many as a writer has in flight
	d := layers.Complete(b)
	put(t, d, "/a/b/c", "/a/d")
	ok(t, "Delete", d.Delete(t.Context(), "/a"))
	page, err := b.List(t.Context(), "/", "", 10)
	ok(t, "List", err)
	if len(page.Entries) > 0 {
		t.Errorf("left: %v", page.Entries)
	}
}

// undeletable is inmemory with the five functions alone, whose deletions fail but for so many.
type undeletable struct {
	*inmemory.Driver
	deletions atomic.Int32
}

func (f *undeletable) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (f *undeletable) Delete(ctx context.Context, path string) error {
	if f.deletions.Add(-1) < 0 {
		return storagedriver.NewError(storagedriver.KindPermission, "no more")
	}
	return f.Driver.Delete(ctx, path)
}

// TestDeleteThatFailsLeavesNoShorterUpload wants an upload below a directory to be whole or to have ended.
func TestDeleteThatFailsLeavesNoShorterUpload(t *testing.T) {
	const part = 10
	b := &undeletable{Driver: inmemory.New()}
	d := layers.Complete(b, layers.WithPartSize(part))
	for _, deletions := range []int32{0, 1, 2, 3} {
		b.deletions.Store(100)
		w, err := d.Writer(t.Context(), "/a/b", false)
		ok(t, "Writer", err)
		_, err = w.Write(make([]byte, 3*part))
		ok(t, "Write", err)
		ok(t, "Close", w.Close())
		b.deletions.Store(deletions)
		if err := d.Delete(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindPermission {
			t.Errorf("Delete with %d deletions: want %q, got %v", deletions, storagedriver.KindPermission, err)
		}
		want := int64(3 * part)
		if deletions > 0 {
			want = 0
		}
		wantUpload(t, d, "/a/b", want)
	}
}
