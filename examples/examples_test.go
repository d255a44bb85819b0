// Package examples_test proves that every public package of the repository shows what it is for.
package examples_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// without are the packages that need no example, and why.
var without = map[string]string{
	"github.com/berth-dev/storagedriver/chunked/chunkedtest":               "a backend for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/guestbuild":             "compiles this repository's guests for its tests",
	"github.com/berth-dev/storagedriver/testsuites/partstore":              "a server for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/servers":                "starts servers for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/e2e":                    "tests alone",
	"github.com/berth-dev/storagedriver/testsuites/interchange":            "tests alone",
	"github.com/berth-dev/storagedriver/testsuites/s3bench":                "tests alone",
	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout":          "images for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/guests":                 "tests alone",
	"github.com/berth-dev/storagedriver/testsuites/guests/native":          "drivers for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/guests/parts":           "a driver for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/guests/s3":              "a driver for tests of this repository",
	"github.com/berth-dev/storagedriver/testsuites/guests/memory":          "a driver for the benchmark",
	"github.com/berth-dev/storagedriver/testsuites/guests/memory/goplugin": "a way to call it, for the benchmark",
	"github.com/berth-dev/storagedriver/testsuites/killloop":               "kills processes that a test makes of itself: drivers/filesystem has one",
	"github.com/berth-dev/storagedriver/examples/webdav":                   "is an example",
	"github.com/berth-dev/storagedriver/examples/compress":                 "is an example",
	"github.com/berth-dev/storagedriver/examples/seal":                     "is an example",
	"github.com/berth-dev/storagedriver/examples/worm":                     "is an example",
}

// listed is what go list says of a package.
type listed struct {
	Dir, ImportPath, Name     string
	TestGoFiles, XTestGoFiles []string
}

// packages returns the packages of the module in dir.
func packages(t *testing.T, dir string) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=Dir,ImportPath,Name,TestGoFiles,XTestGoFiles", "./...")
	list.Dir = dir
	var said strings.Builder
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v: %s", dir, err, said.String())
	}
	var all []listed
	for from := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := from.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// runs reports whether the package has an example that go test runs and compares.
func runs(t *testing.T, p listed) bool {
	t.Helper()
	var files []*ast.File
	for _, name := range append(p.TestGoFiles, p.XTestGoFiles...) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, e := range doc.Examples(files...) {
		if e.Output != "" || e.EmptyOutput {
			return true
		}
	}
	return false
}

func TestEveryPublicPackageHasAnExampleThatRuns(t *testing.T) {
	seen := map[string]bool{}
	for _, module := range []string{"..", "../guest-sdk/go", "webdav", "compress", "seal", "worm", "go-memory", "../testsuites/guests"} {
		for _, p := range packages(t, module) {
			seen[p.ImportPath] = true
			switch {
			case p.Name == "main", strings.Contains(p.ImportPath+"/", "/internal/"), without[p.ImportPath] != "":
			case strings.HasSuffix(p.Dir, "/examples") || strings.Contains(p.Dir, "/examples/embed"): // programs and their tests
			case !runs(t, p):
				t.Errorf("%s has no Example with an Output: write one in its example_test.go", p.ImportPath)
			}
		}
	}
	for path := range without {
		if !seen[path] {
			t.Errorf("%s needs no example, and is not there", path)
		}
	}
}
