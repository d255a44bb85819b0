package filesystem_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// TestFirstPartIsRepeatedWhileUnderWay: an attempt whose answer was given up goes on.
func TestFirstPartIsRepeatedWhileUnderWay(t *testing.T) {
	d := open(t, t.TempDir())
	w := upload(t, d, "/f", false)
	r, body := io.Pipe()
	first := make(chan error)
	token := w.up.Token
	go func() {
		_, err := d.PutPart(t.Context(), token, storagedriver.Part{Number: 1, Body: reading(6, r)})
		first <- err
	}()
	if _, err := io.WriteString(body, "one"); err != nil { // the part is under way
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		for {
			_, err := d.PutPart(t.Context(), token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("two")})
			if !storagedriver.IsTemporary(err) {
				second <- err
				return
			}
		}
	}()
	// The second opens the file of the first; whether it has, cannot be seen from here.
	for range 100 {
		if _, err := d.Stat(t.Context(), "/"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(body, "ONE"); err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	w.receipts.Set(storagedriver.Receipt{Number: 1, Size: 3, Data: []byte{}})
	w.mustCommit("")
	if got := get(t, d, "/f"); got != "two" {
		t.Errorf("got %q, want the part that was stored last", got)
	}
}

// TestUploadIsFoundWhilePartsCome: a status request during a PATCH.
func TestUploadIsFoundWhilePartsCome(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d, other := open(t, root), open(t, root)
	w := upload(t, d, "/f", false).parts("0")
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for size := int64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				up, err := other.OpenUpload(t.Context(), "/f", true)
				if err != nil || !up.Resumed || up.Receipts.All()[0].Size < size {
					t.Errorf("the upload is not found: %+v, %v", up, err)
					return
				}
				size = up.Receipts.All()[0].Size
			}
		})
	}
	for range 300 {
		w.parts("1")
	}
	close(done)
	wg.Wait()
}

func TestHollowDirectoriesGiveWay(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	hollow := func() {
		t.Helper()
		put(t, d, "/x/a/b/c", "")
		put(t, d, "/x/d/e", "")
		for _, path := range []string{"/x/a/b/c", "/x/d/e"} {
			if err := d.Delete(t.Context(), path); err != nil {
				t.Fatal(err)
			}
		}
	}
	hollow()
	put(t, d, "/x", "file")
	if err := d.Delete(t.Context(), "/x"); err != nil {
		t.Fatal(err)
	}
	hollow()
	upload(t, d, "/x", true).parts("one,").mustCommit("two")
	if err := d.Move(t.Context(), "/x", "/y"); err != nil {
		t.Fatal(err)
	}
	hollow()
	if err := d.Move(t.Context(), "/y", "/x"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "/x"); got != "one,two" {
		t.Errorf("got %q", got)
	}
	if err := d.Delete(t.Context(), "/x"); err != nil {
		t.Fatal(err)
	}
	hollow()
	put(t, d, "/x/a/b/new", "")
	wantKind(t, "Put on a directory that holds something", d.Put(t.Context(), "/x", storagedriver.BytesSource("")), storagedriver.KindInvalidPath)
	wantFiles(t, root, "x/a/b/new")
}

// TestPutsWhereADirectoryWas: the second must not take what the first has stored for the
// directory that both saw.
func TestPutsWhereADirectoryWas(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := open(t, root)
	for range 200 {
		if err := os.Mkdir(filepath.Join(root, "f"), 0o700); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var puts, readers sync.WaitGroup
		readers.Go(func() {
			for there := false; ; {
				info, err := os.Lstat(filepath.Join(root, "f"))
				if there && err != nil {
					t.Errorf("what was there is gone: %v", err)
					return
				}
				there = there || err == nil && !info.IsDir()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		for range 4 {
			puts.Go(func() {
				if err := d.Put(t.Context(), "/f", storagedriver.BytesSource("content")); err != nil {
					t.Errorf("Put: %v", err)
				}
			})
		}
		puts.Wait()
		close(stop)
		readers.Wait()
		if err := d.Delete(t.Context(), "/f"); err != nil {
			t.Fatal(err)
		}
	}
	wantFiles(t, root)
}

// TestLongestName: the upload directory of such an object cannot be.
func TestLongestName(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	path := "/" + strings.Repeat("n", 255)
	put(t, d, path, "content")
	if err := d.AbortUploads(t.Context(), path); err != nil {
		t.Errorf("AbortUploads: %v", err)
	}
	w := upload(t, d, path, false)
	wantKind(t, "a part", w.part(storagedriver.BytesSource("x")), storagedriver.KindInvalidPath)
	if err := w.cancel(); err != nil {
		t.Errorf("Cancel: %v", err)
	}
	wantSize(t, d, path, 7)
	if err := d.Delete(t.Context(), path); err != nil {
		t.Error(err)
	}
	_, err := d.Stat(t.Context(), path+"n")
	wantKind(t, "Stat of a longer one", err, storagedriver.KindNotFound)
	wantFiles(t, root)
}

func TestFailedFirstPartLeavesNothing(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/g", "committed")
	bad := func() storagedriver.Source {
		return reading(9, io.MultiReader(strings.NewReader("xyz"), failing{io.ErrUnexpectedEOF}))
	}
	for _, w := range []*writer{upload(t, d, "/f", false), upload(t, d, "/g", true)} {
		if err := w.part(bad()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a part: %v", err)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 {
		t.Errorf("the root holds %v, %v; want g", entries, err)
	}
}
