package filesystem_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListPagesAscend(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	want := []string{"s-", "s.x", "s/", "s0", "up~/"}
	for _, name := range []string{"s-", "s.x", "s/y", "s0", "up~/x"} {
		put(t, d, "/dir/"+name, "12")
	}
	for i := range 60 {
		put(t, d, fmt.Sprintf("/dir/f%d", i), "")
		want = append(want, fmt.Sprintf("f%d", i))
	}
	slices.Sort(want)
	if err := os.Mkdir(filepath.Join(root, "dir", "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, 1, 7, 64, 65, 66, 1 << 30} {
		var got []string
		for cursor := ""; ; {
			page, err := d.List(t.Context(), "/dir", cursor, limit)
			if err != nil {
				t.Fatal(err)
			}
			if limit > 0 && len(page.Entries) > limit {
				t.Fatalf("a page of %d entries, asked for %d", len(page.Entries), limit)
			}
			for _, e := range page.Entries {
				if e.Dir {
					e.Name += "/"
				} else if e.ModTime.IsZero() || strings.HasPrefix(e.Name, "s") && e.Size != 2 {
					t.Errorf("entry %+v", e)
				}
				got = append(got, e.Name)
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
}

// TestListOfManyNames has more names than are kept from one page to the next.
func TestListOfManyNames(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	const files = 40_000
	for i := range files {
		f, err := os.Create(filepath.Join(root, fmt.Sprintf("f%06d", i)))
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	next, cursor := 0, ""
	for pages := 0; ; pages++ {
		page, err := d.List(t.Context(), "/", cursor, 3000)
		if err != nil || pages > files/3000+2 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, e := range page.Entries {
			if want := fmt.Sprintf("f%06d", next); e.Name != want {
				t.Fatalf("got %s, want %s", e.Name, want)
			}
			next++
		}
		if pages == 2 { // by another driver, and once more
			again, err := open(t, root).List(t.Context(), "/", cursor, 3000)
			if err != nil || len(again.Entries) != 3000 || again.Entries[0].Name != page.Entries[0].Name {
				t.Errorf("the page once more: %d entries, %v", len(again.Entries), err)
			}
			if again, err = d.List(t.Context(), "/", cursor, 10); err != nil || again.Entries[9].Name != page.Entries[9].Name {
				t.Errorf("the page once more: %v", err)
			}
		}
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	if next != files {
		t.Errorf("%d names, want %d", next, files)
	}
}

func TestListingsAreApart(t *testing.T) {
	d := open(t, t.TempDir())
	for i := range 9 {
		put(t, d, fmt.Sprintf("/dir/%d", i), "")
	}
	// More listings under way than are kept.
	cursors := make([]string, 40)
	for step := range 3 {
		for i, cursor := range cursors {
			page, err := d.List(t.Context(), "/dir", cursor, 3)
			if err != nil || len(page.Entries) != 3 || page.Entries[0].Name != fmt.Sprint(3*step) || (page.Cursor == "") != (step == 2) {
				t.Fatalf("step %d: %+v, %v", step, page, err)
			}
			cursors[i] = page.Cursor
		}
	}
}
