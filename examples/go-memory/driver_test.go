package main

import (
	"strings"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// with returns a driver that has empty objects at the paths.
func with(t *testing.T, paths ...string) *driver {
	t.Helper()
	d := &driver{objects: map[string]object{}}
	for _, p := range paths {
		if err := d.store(p, nil, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestListPages(t *testing.T) {
	d := with(t, "/a/b", "/a.b", "/c/1", "/c/2/x", "/c0")
	for dir, want := range map[string]string{"/": "a.b a/ c/ c0", "/c": "1 2/", "/c/2": "x"} {
		for limit := 1; limit <= 5; limit++ {
			var got []string
			for cursor := ""; ; {
				page, err := d.List(nil, dir, cursor, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					name := e.Name
					if e.Dir {
						name += "/"
					}
					got = append(got, name)
				}
				if cursor = page.Cursor; cursor == "" {
					break
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("List %s, %d at a time: want %s, got %s", dir, limit, want, got)
			}
		}
	}
}

func TestThereAreNoFilesUnderFiles(t *testing.T) {
	d := with(t, "/a/b")
	for _, p := range []string{"/a", "/a/b/c"} {
		if err := d.store(p, nil, time.Time{}); berth.KindOf(err) != berth.KindInvalidPath {
			t.Errorf("%s: want an invalid path, got %v", p, err)
		}
	}
	if err := d.Delete(nil, "/a"); berth.KindOf(err) != berth.KindInvalidPath {
		t.Errorf("Delete of a directory: want an invalid path, got %v", err)
	}
	if err := d.Delete(nil, "/b"); berth.KindOf(err) != berth.KindNotFound {
		t.Errorf("Delete of nothing: want not found, got %v", err)
	}
}

func TestReadAnswersRanges(t *testing.T) {
	d := with(t)
	if err := d.store("/a", []byte("0123456789"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
		kind           berth.Kind
	}{{0, -1, "0123456789", 0}, {3, 4, "3456", 0}, {8, 10, "89", 0}, {10, -1, "", 0}, {11, -1, "", berth.KindInvalidOffset}} {
		got, err := d.Read(nil, "/a", c.offset, c.length)
		if string(got.Data) != c.want || (err != nil) != (c.kind != 0) || err != nil && berth.KindOf(err) != c.kind {
			t.Errorf("%d from %d: want %q, %v, got %q, %v", c.length, c.offset, c.want, c.kind, got.Data, err)
		}
	}
	first, _ := d.Read(nil, "/a", 0, -1)
	if err := d.store("/a", []byte("0123456789"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if second, _ := d.Read(nil, "/a", 0, -1); string(first.Version) == string(second.Version) {
		t.Errorf("want another version of what was stored again, got %s twice", first.Version)
	}
}
