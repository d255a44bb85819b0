package served

import (
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"data":       "data",
		"a-b.c_d":    "a-b.c_d",
		"-":          "-",
		"-.":         "-.",
		"--.-":       "--.-",
		"data~":      "-.-data-t",
		"~":          "-.--t",
		"a-t~b":      "-.-a--t-tb",
		"~~":         "-.--t-t",
		"-.-":        "-.---.--",
		"-.-data-t":  "-.---.--data--t",
		"-.-data~":   "-.---.--data-t",
		"x-.-":       "x-.-",
		"-.---.---t": "-.---.------.------t",
	} {
		if got := escapeName(name); got != want {
			t.Errorf("escapeName(%q): want %q, got %q", name, want, got)
		}
		if got, ok := unescapeName(want); got != name || !ok {
			t.Errorf("unescapeName(%q): want %q, got %q and %v", want, name, got, ok)
		}
	}
	for _, none := range []string{"-.-", "-.-data", "-.-a--b", "-.-x-", "-.-x-u", "-.-x~", "~", "-.-T-"} {
		if got, ok := unescapeName(none); ok {
			t.Errorf("unescapeName(%q): want none, got %q", none, got)
		}
	}
	for path, want := range map[string]string{
		"/": "/", "/a/b": "/a/b", "/a/b~/0-1": "/a/-.-b-t/0-1", "/-.-/x~y/-.-z": "/-.---.--/-.-x-ty/-.---.--z", "/a-.-b/c": "/a-.-b/c",
	} {
		if got := EscapePath(path); got != want {
			t.Errorf("EscapePath(%q): want %q, got %q", path, want, got)
		}
	}
}

// FuzzNames holds the escape to be a bijection between the names of a Backend and those that are shown of a StorageDriver.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"data", "data~", "-.-", "-.-data-t", "-.---", "-.-x-u", "..", "~", "a/b~", "-.-~-.-~", "\xff~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if storagedriver.ValidatePrivatePath("/"+name) == nil {
			path := EscapePath("/" + name)
			if err := storagedriver.ValidatePath(path); err != nil && len(path) <= storagedriver.MaxPath {
				t.Errorf("EscapePath(%q) is %q, no path: %v", "/"+name, path, err)
			}
			if !strings.Contains(name, "/") {
				if back, ok := unescapeName(path[1:]); back != name || !ok {
					t.Errorf("%q is %q there, which is %q (%v) here", name, path[1:], back, ok)
				}
			}
		}
		if storagedriver.ValidatePath("/"+name) == nil && !strings.Contains(name, "/") {
			if shown, ok := unescapeName(name); ok && escapeName(shown) != name {
				t.Errorf("%q there is %q here, which is %q there", name, shown, escapeName(shown))
			}
		}
	})
}
