package storagedriver_test

import (
	"path"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestValidatePath(t *testing.T) {
	long := "/" + strings.Repeat("x", storagedriver.MaxPath-1)
	for _, c := range []struct {
		path            string
		public, private bool
	}{
		{"/a", true, true},
		{"/docker/registry/v2/blobs/sha256/ab/ab_c-d.e/data", true, true},
		{"/...", true, true},
		{"/.a/a./..a", true, true},
		{"/-/_", true, true},
		{long, true, true},
		{long + "x", false, true},
		{long + long, false, true},
		{long + long + "x", false, false},
		{"/a~", false, true},
		{"/~/b", false, true},
		{"", false, false},
		{"/", false, false},
		{"a", false, false},
		{"a/b", false, false},
		{"//", false, false},
		{"/a/", false, false},
		{"/a//b", false, false},
		{"//a", false, false},
		{"/.", false, false},
		{"/..", false, false},
		{"/a/../b", false, false},
		{"/a/.", false, false},
		{"/./a", false, false},
		{"/a b", false, false},
		{"/a\n", false, false},
		{"/a\x00", false, false},
		{`/a\b`, false, false},
		{"/a:b", false, false},
		{"/a+b", false, false},
		{"/a%2fb", false, false},
		{"/é", false, false},
		{"/\xff", false, false},
	} {
		check := func(what string, err error, ok bool) {
			if ok && err != nil || !ok && storagedriver.KindOf(err) != storagedriver.KindInvalidPath {
				t.Errorf("%s(%q): %v, want valid: %v", what, c.path, err, ok)
			}
		}
		check("ValidatePath", storagedriver.ValidatePath(c.path), c.public)
		check("ValidatePrivatePath", storagedriver.ValidatePrivatePath(c.path), c.private)
		if c.private && storagedriver.IsPrivate(c.path) != strings.Contains(c.path, "~") {
			t.Errorf("IsPrivate(%q)", c.path)
		}
	}
}

func TestParentAndJoin(t *testing.T) {
	for _, c := range []struct{ path, dir, name string }{
		{"/a", "/", "a"}, {"/a/b", "/a", "b"}, {"/a/b/c", "/a/b", "c"}, {"/a~/b", "/a~", "b"},
	} {
		dir, name := storagedriver.ParentPath(c.path)
		if dir != c.dir || name != c.name {
			t.Errorf("ParentPath(%q): %q, %q; want %q, %q", c.path, dir, name, c.dir, c.name)
		}
		if got := storagedriver.JoinPath(c.dir, c.name); got != c.path {
			t.Errorf("JoinPath(%q, %q): %q", c.dir, c.name, got)
		}
	}
	if dir, name := storagedriver.ParentPath("/"); dir != "/" || name != "" {
		t.Errorf("ParentPath of the root: %q, %q", dir, name)
	}
}

func TestIsBelow(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/a/b", "/a", true}, {"/a/b/c", "/a", true}, {"/a", "/", true}, {"/a/b", "/", true},
		{"/a", "/a", false}, {"/ab", "/a", false}, {"/ab/c", "/a", false}, {"/a", "/a/b", false},
		{"/", "/", false}, {"/a/", "/a", false}, {"/a~/b", "/a", false}, {"/b/c", "/a", false},
	} {
		if got := storagedriver.IsBelow(c.path, c.dir); got != c.want {
			t.Errorf("IsBelow(%q, %q): %v", c.path, c.dir, got)
		}
	}
}

// FuzzPaths holds the validation against the regular expression it replaces, and the helpers
// against each other.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"", "/", "/a", "/a/b~/c", "//", "/a/..", "/a/.b", "/\xff", "/a/" + strings.Repeat("b/", 20)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		public := storagedriver.ValidatePath(p) == nil
		want := storagedriver.PathRegexp.MatchString(p) && path.Clean(p) == p && len(p) <= storagedriver.MaxPath
		if public != want {
			t.Errorf("ValidatePath(%q): valid %v, want %v", p, public, want)
		}
		private := storagedriver.ValidatePrivatePath(p) == nil
		want = storagedriver.PathRegexp.MatchString(strings.ReplaceAll(p, "~", "_")) && path.Clean(p) == p && len(p) <= 2*storagedriver.MaxPath
		if private != want {
			t.Errorf("ValidatePrivatePath(%q): valid %v, want %v", p, private, want)
		}
		if !private {
			return
		}
		if public && storagedriver.IsPrivate(p) {
			t.Errorf("%q is public and private", p)
		}
		dir, name := storagedriver.ParentPath(p)
		if storagedriver.JoinPath(dir, name) != p || !storagedriver.IsBelow(p, dir) || storagedriver.IsBelow(dir, p) {
			t.Errorf("%q: parent %q, name %q", p, dir, name)
		}
	})
}
