package registry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/registry/config"
	"go.yaml.in/yaml/v3"
)

// knownHere is a program with two drivers.
func knownHere() *config.Tree {
	return config.New(config.Known{Drivers: []config.Driver{
		{Name: "filesystem", Parameters: config.OfParameters(filesystem.Config{RootDirectory: filesystem.DefaultRootDirectory})},
		{Name: "inmemory", Parameters: config.OfParameters(struct{}{})},
	}})
}

// keysOf returns the paths of the keys that a file sets, elements of lists as "[]".
func keysOf(t *testing.T, text string) []string {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	var keys []string
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				key := n.Content[i].Value
				if path != "" {
					key = path + "." + key
				}
				if value := n.Content[i+1]; value.Kind == yaml.SequenceNode && len(value.Content) > 0 && value.Content[0].Kind == yaml.MappingNode {
					key += "[]"
				}
				keys = append(keys, key)
				walk(n.Content[i+1], key)
			}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				walk(item, path)
			}
		}
	}
	walk(root.Content[0], "")
	return keys
}

// files makes the files that the configurations of documented name, and puts their paths in.
func files(t *testing.T) *strings.Replacer {
	t.Helper()
	a := newAuthority(t, "authority")
	cert, key, _ := a.issue("server", a, false)
	return strings.NewReplacer("CERT", cert, "KEYFILE", key, "CA", a.file)
}

// TestEachDocumentedKeyIsAcceptedOrRefused judges each configuration of the table.
func TestEachDocumentedKeyIsAcceptedOrRefused(t *testing.T) {
	paths := files(t)
	for _, c := range documented {
		t.Run(c.name, func(t *testing.T) {
			text := "version: 0.1\n" + paths.Replace(c.text)
			if !slices.Contains(keysOf(t, text), "storage") {
				text += "storage: inmemory\n"
			}
			d, err := knownHere().Read(strings.NewReader(text), "c.yml")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range d.Problems {
				got = append(got, p.String())
			}
			if len(got) != len(c.says) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.says, "\n"))
			}
			for i, want := range c.says {
				if !strings.Contains(got[i], want) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
			if d.Err() == nil {
				expectValues(t, d, keysOf(t, text))
			}
		})
	}
}

// expectValues fails unless each key that has a value of its own counts, and comes from the file.
func expectValues(t *testing.T, d *config.Document, keys []string) {
	t.Helper()
	index := regexp.MustCompile(`\[\d+\]`)
	var counts []string
	for _, v := range d.Values() {
		if v.Origin.File == "" {
			continue
		}
		counts = append(counts, index.ReplaceAllString(v.Path, "[]"), index.ReplaceAllString(v.Path, ""))
	}
	for _, key := range keys {
		below := func(path string) bool {
			return path == key || strings.HasPrefix(path, key+".") || strings.HasPrefix(path, key+"[")
		}
		if key != "loglevel" && !slices.ContainsFunc(counts, below) {
			t.Errorf("%s is accepted and does not count", key)
		}
	}
}

// freeKeys are sections whose keys are the operator's.
var freeKeys = []string{"log.fields.", "http.headers.", "health.http[].headers.", "notifications.endpoints[].headers.", "middleware.registry[].options.", "middleware.repository[].options."}

// TestTableHoldsEachDocumentedKey compares the table with distribution's documentation and with the keys
// that this program knows.
func TestTableHoldsEachDocumentedKey(t *testing.T) {
	held := map[string]bool{}
	for _, c := range documented {
		for _, key := range keysOf(t, c.text) {
			held[key] = true
		}
	}
	theirs := keysOf(t, documentedSample(t))
	if len(theirs) < 150 {
		t.Fatalf("distribution's documentation has %d keys only: %q", len(theirs), theirs)
	}
	for _, key := range append(theirs, knownHere().Keys("")...) {
		isFree := slices.ContainsFunc(freeKeys, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		driver, _, _ := strings.Cut(strings.TrimPrefix(key, "storage."), ".")
		isLacking := strings.HasPrefix(key, "storage.") && slices.Contains([]string{"s3", "azure", "gcs"}, driver) && held["storage."+driver]
		if key != "version" && !held[key] && !isFree && !isLacking {
			t.Errorf("the table has no %s", key)
		}
	}
}

// documentedSample is the list of all options in distribution's documentation.
func documentedSample(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(distributionDir(t), "docs", "content", "about", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## List of configuration options")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	sample, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("distribution's documentation has no list of options")
	}
	return sample
}

// distributionDir is where the source of distribution lies.
func distributionDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/distribution/distribution/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestFilesThatDistributionComesWithAreAccepted judges the configurations of its images.
func TestFilesThatDistributionComesWithAreAccepted(t *testing.T) {
	matches, err := filepath.Glob(filepath.Join(distributionDir(t), "cmd", "registry", "*.yml"))
	if err != nil || len(matches) < 3 {
		t.Fatalf("got %q, %v, want three files at least", matches, err)
	}
	for _, file := range matches {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := knownHere().Read(strings.NewReader(string(text)), filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Err(); err != nil {
			t.Error(err)
		}
	}
}

// TestTableNamesTestsThatExist has each accepted configuration name where it is shown to work.
func TestTableNamesTestsThatExist(t *testing.T) {
	tests := map[string]bool{}
	matches, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range matches {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
			}
		}
	}
	for _, c := range documented {
		isRefused := slices.ContainsFunc(c.says, func(s string) bool { return !strings.Contains(s, "warning: ") })
		if !isRefused && len(c.shown) == 0 {
			t.Errorf("%s: is accepted, and no test shows its effect", c.name)
		}
		for _, name := range c.shown {
			if !tests[name] {
				t.Errorf("%s: there is no %s", c.name, strconv.Quote(name))
			}
		}
	}
}
