package guests

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/orphans"
)

// begin stores a part of an upload to path, which is left alone as by a process that dies here.
func begin(t *testing.T, b storagedriver.Backend, path string) {
	t.Helper()
	u, err := b.OpenUpload(t.Context(), path, false)
	ok(t, err, "OpenUpload")
	_, err = b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("part")})
	ok(t, err, "PutPart")
}

// listed returns the targets below dir in pages of limit, and checks that each has begun since.
func listed(t *testing.T, b storagedriver.Backend, dir string, limit int, since time.Time) []string {
	t.Helper()
	names := []string{}
	for cursor, pages := "", 0; ; pages++ {
		page, err := b.ListUploads(t.Context(), dir, cursor, limit)
		ok(t, err, "ListUploads")
		if len(page.Entries) > limit || pages > 10 {
			t.Fatalf("page %d of at most %d has %d entries", pages, limit, len(page.Entries))
		}
		for _, e := range page.Entries {
			if e.Size != 0 || e.Dir || e.ModTime.Before(since) || e.ModTime.After(time.Now()) {
				t.Errorf("want an upload begun since %v, got %+v", since, e)
			}
			names = append(names, e.Name)
		}
		if cursor = page.Cursor; cursor == "" {
			slices.Sort(names)
			return names
		}
	}
}

// TestUploadsThatNobodySuspendedAreListed: the next process lists and ends them.
func TestUploadsThatNobodySuspendedAreListed(t *testing.T) {
	for _, kind := range []string{"wasm", "native"} {
		t.Run(kind, func(t *testing.T) {
			s := startStore(t)
			opener := s.openers(t)[kind]
			backend := func() storagedriver.Backend {
				b, err := opener()(t.Context(), s.parameters())
				ok(t, err, "open")
				t.Cleanup(func() { ok(t, b.Close(), "Close") })
				return b
			}
			since := time.Now()
			killed := backend()
			for _, path := range []string{"/a/b/c", "/a/b/c", "/a/d", "/ab/c", "/e"} {
				begin(t, killed, path)
			}
			b := backend()
			if abilities := b.Capabilities().Abilities; !abilities.Has(storagedriver.AbilityListUploads) {
				t.Fatalf("the abilities are %v", abilities)
			}
			for dir, want := range map[string]string{"/a": "[b/c b/c d]", "/a/b": "[c c]", "/": "[a/b/c a/b/c a/d ab/c e]", "/a/d": "[]", "/none": "[]"} {
				for _, limit := range []int{1, 2, 1000} {
					if got := fmt.Sprint(listed(t, b, dir, limit, since)); got != want {
						t.Errorf("below %s in pages of %d: want %s, got %s", dir, limit, want, got)
					}
				}
			}
			var found []orphans.Orphan
			ok(t, orphans.List(t.Context(), b, "/a", func(o orphans.Orphan) error {
				found = append(found, o)
				return nil
			}), "List")
			slices.SortFunc(found, func(a, b orphans.Orphan) int { return cmp.Compare(a.Path, b.Path) })
			if len(found) != 2 || found[0].Path != "/a/b/c" || found[1].Path != "/a/d" {
				t.Fatalf("want /a/b/c and /a/d, found %+v", found)
			}
			for i, want := range []bool{false, true} {
				if removed, err := orphans.Abort(t.Context(), b, found[0], []time.Time{since, {}}[i]); removed != want || err != nil {
					t.Errorf("Abort of /a/b/c: %v, %v, want %v", removed, err, want)
				}
			}
			if left := fmt.Sprint(s.Unfinished()); left != "[a/d ab/c e]" {
				t.Errorf("want [a/d ab/c e] left, got %s", left)
			}
		})
	}
}
