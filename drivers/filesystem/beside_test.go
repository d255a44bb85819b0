package filesystem_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// age makes what is below root an hour older, for what follows to be written after it.
func age(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			before := time.Now().Add(-time.Hour)
			err = os.Chtimes(path, before, before)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// beside makes two uploads to path beside each other, suspends both, and returns a writer that continues the
// one written last.
func beside(t *testing.T, d *filesystem.Driver, root, path string) *writer {
	t.Helper()
	a, b := upload(t, d, path, false), upload(t, d, path, true)
	if err := b.parts("other").suspend(); err != nil {
		t.Fatal(err)
	}
	age(t, root)
	if err := a.parts("one,").suspend(); err != nil {
		t.Fatal(err)
	}
	w := upload(t, d, path, true)
	if w.at != int64(len("one,")) {
		t.Fatalf("%d bytes are continued, want those written last", w.at)
	}
	return w
}

// TestUploadsBesideEachOtherEndTogether: who continues one of them ends what was there beside it.
func TestUploadsBesideEachOtherEndTogether(t *testing.T) {
	for name, parts := range map[string][]string{"nothing more": nil, "parts": {"more,"}} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root)
			if err := beside(t, d, root, "/f").parts(parts...).cancel(); err != nil {
				t.Fatal(err)
			}
			wantFiles(t, root)
			w := beside(t, d, root, "/f").parts(parts...)
			w.mustCommit("end")
			want := "one,"
			for _, p := range parts {
				want += p
			}
			if got := get(t, d, "/f"); got != want+"end" {
				t.Errorf("got %q, want %q", got, want+"end")
			}
			wantFiles(t, root, "f")
		})
	}
}

// TestWhoGoesOnIsNotEnded: what another has gone on with since is left alone.
func TestWhoGoesOnIsNotEnded(t *testing.T) {
	for name, end := range map[string]func(w *writer) error{
		"commit": func(w *writer) error { return w.commit("end") },
		"cancel": func(w *writer) error { return w.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root)
			a, b := upload(t, d, "/f", false).parts("a1,"), upload(t, d, "/f", false)
			age(t, root)
			b.parts("b1,")
			w := upload(t, d, "/f", true) // b's
			a.parts("a2,")
			if err := end(w); err != nil {
				t.Fatal(err)
			}
			wantKind(t, "a part of whose upload it was", b.part(storagedriver.BytesSource("late")), storagedriver.KindConflict)
			a.mustCommit("a3")
			if got := get(t, d, "/f"); got != "a1,a2,a3" {
				t.Errorf("got %q", got)
			}
		})
	}
}
