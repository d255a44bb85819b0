package orphans_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers/orphans"
)

// clock is when uploads begin, in hours.
type clock struct{ hour int }

func at(hour int) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(hour) * time.Hour) }

func (c *clock) now() time.Time { return at(c.hour) }

// keeping returns backends that keep their uploads to themselves and list them, directory by directory, the last first, and as a tree.
func keeping(t *testing.T, c *clock) map[string]*chunkedtest.Memory {
	const can = storagedriver.AbilityParts | storagedriver.AbilityListUploads | storagedriver.AbilityFilesUnderFiles
	all := map[string]*chunkedtest.Memory{
		"directories": {Can: can | storagedriver.AbilityUnsorted, Now: c.now}, "tree": {Can: can | storagedriver.AbilityListTree, Now: c.now},
	}
	t.Cleanup(func() {
		for name, m := range all {
			if b := m.Breaches(); len(b) > 0 {
				t.Errorf("%s: the backend's contract was broken: %q", name, b)
			}
		}
	})
	return all
}

// kill leaves an upload to path of which one part is stored, as a process does that is killed.
func kill(t *testing.T, b storagedriver.Backend, path string) {
	t.Helper()
	u, err := b.OpenUpload(t.Context(), path, false)
	if err == nil {
		_, err = b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("part")})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantFound compares all that is found below path.
func wantFound(t *testing.T, b storagedriver.Backend, path string, want ...orphans.Orphan) {
	t.Helper()
	found := list(t, b, path)
	for _, w := range want {
		if o := found[w.Path]; o.Kind != w.Kind || o.Files != w.Files || o.Bytes != w.Bytes || !o.ModTime.Equal(w.ModTime) {
			t.Errorf("%s below %s: got %+v, want %+v", w.Path, path, o, w)
		}
	}
	if len(found) != len(want) {
		t.Errorf("below %s are %q, want %d", path, slices.Sorted(maps.Keys(found)), len(want))
	}
}

func TestListFindsUploadsThatTheBackendKeeps(t *testing.T) {
	c := &clock{}
	for name, m := range keeping(t, c) {
		t.Run(name, func(t *testing.T) {
			m.Set("/a/f", "content")
			m.Set("/a/both~state", "state")
			for c.hour = 1; c.hour <= 2; c.hour++ {
				kill(t, m, "/a/only/u")
				kill(t, m, "/a/both")
			}
			kill(t, m, "/a/tailed~tail.1") // hour 3
			kill(t, m, "/a/x/~put-1/deep")
			kill(t, m, "/ab/u")
			suspend(t, m, "/s", 10)
			const upload = orphans.Upload
			below := []orphans.Orphan{
				{Path: "/a/only/u", Kind: upload, ModTime: at(2)},
				{Path: "/a/both", Kind: upload, Files: 1, Bytes: 5, ModTime: at(2)},
				{Path: "/a/tailed", Kind: upload, ModTime: at(3)},
				{Path: "/a/x/~put-1", Kind: orphans.Temporary, ModTime: at(3)},
			}
			wantFound(t, m, "/a", below...)
			wantFound(t, m, "/", append(below, orphans.Orphan{Path: "/ab/u", Kind: upload, ModTime: at(3)}, orphans.Orphan{Path: "/s", Kind: upload, ModTime: at(3)})...)
			wantFound(t, m, "/none")
			enough := errors.New("enough")
			if err := orphans.List(t.Context(), m, "/ab", func(orphans.Orphan) error { return enough }); err != enough {
				t.Errorf("%v, want the callback's error", err)
			}
		})
	}
}

// TestUploadsAreListedOnlyWhereThatIsDeclared: Memory says a breach when it is asked what it does not declare.
func TestUploadsAreListedOnlyWhereThatIsDeclared(t *testing.T) {
	for _, can := range []storagedriver.Ability{0, storagedriver.AbilityParts, storagedriver.AbilityListUploads} {
		m := &chunkedtest.Memory{Can: can}
		m.Set("/u~", "state")
		wantFound(t, m, "/", orphans.Orphan{Path: "/u", Kind: orphans.Upload, Files: 1, Bytes: 5, ModTime: time.Unix(1, 0)})
		if n, b := m.Calls("ListUploads"), m.Breaches(); n != 0 || len(b) > 0 {
			t.Errorf("with %v: %d calls of ListUploads, breaches %q", can, n, b)
		}
	}
}

func mustAbort(t *testing.T, b storagedriver.Backend, o orphans.Orphan, before time.Time, want bool) {
	t.Helper()
	if removed, err := orphans.Abort(t.Context(), b, o, before); removed != want || err != nil {
		t.Errorf("Abort of %s: removed %v, %v; want %v", o.Path, removed, err, want)
	}
}

func TestAbortOfUploadsThatTheBackendKeeps(t *testing.T) {
	c := &clock{}
	for name, m := range keeping(t, c) {
		t.Run(name, func(t *testing.T) {
			c.hour = 1
			m.Set("/a/both~state", "state")
			for _, path := range []string{"/a/u", "/a/both", "/a/tailed~tail.1", "/a/~put-1", "/a/goes-on"} {
				kill(t, m, path)
			}
			c.hour = 5
			kill(t, m, "/a/young")
			all := list(t, m, "/")
			mustAbort(t, m, all["/a/young"], at(3), false)
			kill(t, m, "/a/goes-on")
			mustAbort(t, m, all["/a/goes-on"], at(3), false)
			for _, path := range []string{"/a/u", "/a/both", "/a/tailed", "/a/~put-1"} {
				mustAbort(t, m, all[path], at(3), true)
				calls := m.Calls("AbortUploads")
				mustAbort(t, m, all[path], at(3), false) // it is gone
				if n := m.Calls("AbortUploads"); n != calls {
					t.Errorf("%s: AbortUploads of what is gone", path)
				}
			}
			wantFound(t, m, "/", orphans.Orphan{Path: "/a/young", Kind: orphans.Upload, ModTime: at(5)},
				orphans.Orphan{Path: "/a/goes-on", Kind: orphans.Upload, ModTime: at(5)})
			for _, o := range list(t, m, "/") {
				mustAbort(t, m, o, time.Time{}, true)
			}
			wantFound(t, m, "/")
		})
	}
}

// TestAbortSparesKeptUploadsBelow: of an old upload with a young one below nothing can be ended, but what is private is removed.
func TestAbortSparesKeptUploadsBelow(t *testing.T) {
	c := &clock{}
	for name, m := range keeping(t, c) {
		t.Run(name, func(t *testing.T) {
			c.hour = 1
			kill(t, m, "/a")
			kill(t, m, "/b")
			m.Set("/b~state", "state")
			c.hour = 5
			kill(t, m, "/a/below")
			kill(t, m, "/b/below")
			all := list(t, m, "/")
			mustAbort(t, m, all["/a"], at(3), false)
			mustAbort(t, m, all["/b"], at(3), true)
			if n := m.Calls("AbortUploads"); n != 0 {
				t.Errorf("AbortUploads was called %d times; the uploads below are young", n)
			}
			const upload = orphans.Upload
			wantFound(t, m, "/", orphans.Orphan{Path: "/a", Kind: upload, ModTime: at(1)}, orphans.Orphan{Path: "/a/below", Kind: upload, ModTime: at(5)},
				orphans.Orphan{Path: "/b", Kind: upload, ModTime: at(1)}, orphans.Orphan{Path: "/b/below", Kind: upload, ModTime: at(5)})
			mustAbort(t, m, all["/a"], at(6), true) // the one below is old now
			if found := list(t, m, "/a"); len(found) != 0 {
				t.Errorf("%+v are left", found)
			}
		})
	}
}

// foreign is a backend with uploads of others, to what is no path of a driver.
type foreign struct {
	storagedriver.Backend
	names []string
}

func (b foreign) ListUploads(context.Context, string, string, int) (storagedriver.Page, error) {
	page := storagedriver.Page{}
	for _, name := range b.names {
		page.Entries = append(page.Entries, storagedriver.Entry{Name: name, ModTime: at(1)})
	}
	return page, nil
}

func TestUploadsToNoPathAreLeftOut(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityParts | storagedriver.AbilityListUploads}
	b := foreign{m, []string{"", "..", "a/../../b", "a b", "a//b", "/", "good"}}
	wantFound(t, b, "/dir", orphans.Orphan{Path: "/dir/good", Kind: orphans.Upload, ModTime: at(1)})
}

func TestUploadsThatCannotBeListed(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityParts | storagedriver.AbilityListUploads}
	m.Set("/u~", "state")
	m.Before = func(_ context.Context, op, _ string) error {
		if op == "ListUploads" {
			return storagedriver.NewError(storagedriver.KindPermission, "s3:ListBucketMultipartUploads is not allowed")
		}
		return nil
	}
	err := orphans.List(t.Context(), m, "/", func(o orphans.Orphan) error {
		t.Errorf("%s is found", o.Path)
		return nil
	})
	if storagedriver.KindOf(err) != storagedriver.KindPermission {
		t.Errorf("List: %v, want permission denied", err)
	}
	removed, err := orphans.Abort(t.Context(), m, orphans.Orphan{Path: "/u", Kind: orphans.Upload}, time.Time{})
	if removed || storagedriver.KindOf(err) != storagedriver.KindPermission {
		t.Errorf("Abort: %v, %v, want permission denied", removed, err)
	}
}
