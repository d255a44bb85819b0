package orphans_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/orphans"
)

// treed is a backend with ListTree, as object stores have it.
type treed struct{ storagedriver.Backend }

func (b treed) Capabilities() storagedriver.Capabilities {
	c := b.Backend.Capabilities()
	c.Abilities |= storagedriver.AbilityListTree
	return c
}

func (b treed) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	var all []storagedriver.Entry
	var walk func(dir, prefix string) error
	walk = func(dir, prefix string) error {
		for cursor := ""; ; {
			page, err := b.List(ctx, dir, cursor, 2)
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				child := storagedriver.JoinPath(dir, e.Name)
				if e.Name = prefix + e.Name; !e.Dir {
					all = append(all, e)
				} else if err := walk(child, e.Name+"/"); err != nil {
					return err
				}
			}
			if cursor = page.Cursor; cursor == "" {
				return nil
			}
		}
	}
	if err := walk(path, ""); err != nil {
		return storagedriver.Page{}, err
	}
	slices.SortFunc(all, func(a, b storagedriver.Entry) int { return strings.Compare(a.Name, b.Name) })
	i := slices.IndexFunc(all, func(e storagedriver.Entry) bool { return e.Name > max(startAfter, cursor) })
	if i < 0 {
		return storagedriver.Page{}, nil
	}
	page := storagedriver.Page{Entries: all[i:min(len(all), i+2)]} // pages are small
	if i+2 < len(all) {
		page.Cursor = all[i+1].Name
	}
	return page, nil
}

// flat has directories only where files are, and nothing that is optional.
type flat struct{ *inmemory.Driver }

func (flat) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

// backends are those that the tests below run on, each with an empty storage.
func backends(t *testing.T) map[string]storagedriver.Backend {
	fs, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: t.TempDir(), Fsync: filesystem.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fs.Close() })
	return map[string]storagedriver.Backend{
		"filesystem": fs, "inmemory": inmemory.New(), "five functions": flat{inmemory.New()}, "with ListTree": treed{flat{inmemory.New()}},
	}
}

// suspend leaves an upload of size bytes to path.
func suspend(t *testing.T, b storagedriver.Backend, path string, size int) {
	t.Helper()
	write(t, b, path, size, false)
}

// write is suspend of a new upload, or goes on with one.
func write(t *testing.T, b storagedriver.Backend, path string, size int, goOn bool) {
	t.Helper()
	d := layers.Complete(b, layers.WithPartSize(1000), layers.WithBudget(chunked.NewBudget(1<<20)))
	w, err := d.Writer(t.Context(), path, goOn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, b storagedriver.Backend, path, content string) {
	t.Helper()
	if err := b.Put(t.Context(), path, storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, b storagedriver.Backend, path string) map[string]orphans.Orphan {
	t.Helper()
	found := map[string]orphans.Orphan{}
	err := orphans.List(t.Context(), b, path, func(o orphans.Orphan) error {
		if _, twice := found[o.Path]; twice {
			t.Errorf("%s comes twice", o.Path)
		}
		found[o.Path] = o
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// want compares what is found with "path kind bytes".
func want(t *testing.T, b storagedriver.Backend, path string, want ...orphans.Orphan) {
	t.Helper()
	found := list(t, b, path)
	for _, w := range want {
		if o := found[w.Path]; o.Kind != w.Kind || o.Bytes != w.Bytes || o.Files < 1 || time.Since(o.ModTime) > time.Minute {
			t.Errorf("%s: got %+v, want %+v", w.Path, o, w)
		}
	}
	if len(found) != len(want) {
		t.Errorf("got %+v, want %+v", found, want)
	}
}

func TestListFindsWhatNobodySees(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			want(t, b, "/")
			put(t, b, "/a/f", "content")
			put(t, b, "/a/b/c/~put-abc", "12345")
			put(t, b, "/g~state", "state")
			suspend(t, b, "/a/b/u", 2500)
			suspend(t, b, "/top", 10)
			want(t, b, "/",
				orphans.Orphan{Path: "/a/b/u", Kind: orphans.Upload, Bytes: 2500},
				orphans.Orphan{Path: "/top", Kind: orphans.Upload, Bytes: 10},
				orphans.Orphan{Path: "/g", Kind: orphans.Upload, Bytes: 5},
				orphans.Orphan{Path: "/a/b/c/~put-abc", Kind: orphans.Temporary, Bytes: 5})
			want(t, b, "/a/b/c", orphans.Orphan{Path: "/a/b/c/~put-abc", Kind: orphans.Temporary, Bytes: 5})
			want(t, b, "/none")
		})
	}
}

func TestListOfManyDirectories(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			for i := range 60 {
				put(t, b, "/d"+strings.Repeat("x", i)+"/e/f", "content")
			}
			for i := range 20 {
				put(t, b, "/d"+strings.Repeat("x", 3*i)+"/e/~put-1", "1")
			}
			if found := list(t, b, "/"); len(found) != 20 {
				t.Errorf("%d are found, want 20: %+v", len(found), found)
			}
			enough, n := errors.New("enough"), 0
			err := orphans.List(t.Context(), b, "/", func(orphans.Orphan) error {
				if n++; n == 3 {
					return enough
				}
				return nil
			})
			if err != enough || n != 3 {
				t.Errorf("%v after %d, want the callback's error after 3", err, n)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := orphans.List(ctx, b, "/", func(orphans.Orphan) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("a context that has ended: %v", err)
			}
		})
	}
}

func TestAbortRemovesWhatIsOld(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			put(t, b, "/a/f", "content")
			put(t, b, "/a/~put-abc", "12345")
			suspend(t, b, "/a/f", 2500)
			suspend(t, b, "/a/g", 2500)
			old, young := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
			for _, o := range list(t, b, "/") {
				if removed, err := orphans.Abort(t.Context(), b, o, young); removed || err != nil {
					t.Errorf("%s, written a moment ago: removed %v, %v", o.Path, removed, err)
				}
			}
			if found := list(t, b, "/"); len(found) != 3 {
				t.Fatalf("%+v are left, want all three", found)
			}
			all := list(t, b, "/")
			for _, path := range []string{"/a/f", "/a/~put-abc"} {
				if removed, err := orphans.Abort(t.Context(), b, all[path], old); !removed || err != nil {
					t.Errorf("%s: removed %v, %v", path, removed, err)
				}
				if removed, err := orphans.Abort(t.Context(), b, all[path], old); removed || err != nil {
					t.Errorf("%s once more: removed %v, %v", path, removed, err)
				}
			}
			want(t, b, "/", orphans.Orphan{Path: "/a/g", Kind: orphans.Upload, Bytes: 2500})
			d := layers.Complete(b)
			if got, err := d.GetContent(t.Context(), "/a/f"); err != nil || string(got) != "content" {
				t.Errorf("the content beside it: %q, %v", got, err)
			}
			if w, err := d.Writer(t.Context(), "/a/g", true); err != nil || w.Size() != 2500 {
				t.Errorf("the upload that was left alone: %v, %v", w, err)
			}
		})
	}
}

// TestAbortLooksAgain: the upload went on between the listing and the abort.
func TestAbortLooksAgain(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			suspend(t, b, "/u", 10)
			o := list(t, b, "/")["/u"]
			before := time.Now()
			o.ModTime = before.Add(-48 * time.Hour) // as it was listed then
			write(t, b, "/u", 10, true)
			if removed, err := orphans.Abort(t.Context(), b, o, before); removed || err != nil {
				t.Errorf("removed %v, %v; want it left alone", removed, err)
			}
			want(t, b, "/", orphans.Orphan{Path: "/u", Kind: orphans.Upload, Bytes: 20})
		})
	}
}

// TestAbortSparesUploadsBelow: AbortUploads ends those below the path as well.
func TestAbortSparesUploadsBelow(t *testing.T) {
	root := t.TempDir()
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	suspend(t, b, "/a", 10)
	past := time.Now().Add(-48 * time.Hour)
	files, err := filepath.Glob(filepath.Join(root, "a~", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	if err := os.Chtimes(files[0], past, past); err != nil {
		t.Fatal(err)
	}
	suspend(t, b, "/a/below", 10)
	removed, err := orphans.Abort(t.Context(), b, list(t, b, "/")["/a"], time.Now().Add(-24*time.Hour))
	if !removed || err != nil {
		t.Errorf("removed %v, %v", removed, err)
	}
	want(t, b, "/", orphans.Orphan{Path: "/a/below", Kind: orphans.Upload, Bytes: 10})
}

// timeless is a backend that does not say when something was written.
type timeless struct{ storagedriver.Backend }

func (b timeless) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	page, err := b.Backend.List(ctx, path, cursor, limit)
	for i := range page.Entries {
		page.Entries[i].ModTime = time.Time{}
	}
	return page, err
}

func TestUnknownAge(t *testing.T) {
	b := timeless{inmemory.New()}
	suspend(t, b, "/u", 10)
	o := list(t, b, "/")["/u"]
	if removed, err := orphans.Abort(t.Context(), b, o, time.Now().Add(time.Hour)); removed || err != nil {
		t.Errorf("removed %v, %v; its age is unknown", removed, err)
	}
	if removed, err := orphans.Abort(t.Context(), b, o, time.Time{}); !removed || err != nil {
		t.Errorf("of any age: removed %v, %v", removed, err)
	}
}
