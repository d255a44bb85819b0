package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const wrongConfig = `version: 0.1
storage:
  filesystem:
    rootdirectry: /x
    layers: {retry: {atempts: 3}}
http:
  secret: sesame
  tls: {clientcas: [/missing]}
loglevel: info
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigValidateListsAllProblems(t *testing.T) {
	path := writeConfig(t, wrongConfig)
	t.Setenv("REGISTRY_HTTP_ADRR", ":1")
	c := newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"config", "validate", path}, "there are 5 problems")
	want := strings.ReplaceAll(`FILE:4: storage.filesystem.rootdirectry is unknown; did you mean rootdirectory?
FILE:5: storage.filesystem.layers.retry.atempts is unknown; did you mean attempts?
FILE:8: http.tls.clientcas has no effect, and there is no TLS: set certificate and key, or letsencrypt.cachefile
FILE:8: http.tls.clientcas[0] cannot be read: open /missing: no such file or directory
FILE:9: warning: loglevel is the former name of log.level
REGISTRY_HTTP_ADRR: is unknown; did you mean REGISTRY_HTTP_ADDR?
`, "FILE", path)
	if got := c.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"config", "validate", path, "--output", "json"})
	var report struct {
		File     string
		Valid    bool
		Problems []config.Problem
	}
	if err := json.Unmarshal(c.out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.File != path || report.Valid || len(report.Problems) != 6 || report.Problems[0].Line != 4 || report.Problems[0].Path != "storage.filesystem.rootdirectry" || !report.Problems[4].Warning {
		t.Errorf("got %+v", report)
	}
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"serve", path}, path+":4: storage.filesystem.rootdirectry is unknown", "4 more")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"garbage-collect", path}, path+":4: storage.filesystem.rootdirectry is unknown")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"config", "show", path}, path+":4: storage.filesystem.rootdirectry is unknown")
}

// TestStorageIsReachedWithoutTheServersFiles collects garbage where the server's certificate is not.
func TestStorageIsReachedWithoutTheServersFiles(t *testing.T) {
	logged(t)
	path := writeConfig(t, "version: 0.1\nstorage: {filesystem: {rootdirectory: "+t.TempDir()+"}}\nhttp: {tls: {certificate: /missing, key: /missing}}\n")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"serve", path}, path+":3: http.tls.certificate cannot be used with key")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"garbage-collect", path}, "removed 0")
}

func TestConfigValidateOfWhatIsRight(t *testing.T) {
	path := writeConfig(t, "version: 0.1\nstorage: {inmemory: , cache: {layerinfo: inmemory}}\n")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "validate", path})
	if got, want := c.out.String(), path+":2: warning: storage.cache.layerinfo is the former name of blobdescriptor\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	path = writeConfig(t, "version: 0.1\nstorage: inmemory\n")
	c = newConsole(t, map[string]string{configVariable: path})
	c.wantStatus(t, statusOK, []string{"config", "validate"})
	if got, want := c.out.String(), path+": ok\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "validate", path, "-o", "yaml"}, "valid: true", "problems: []")
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"config", "validate", path + ".missing"}, path+".missing")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"config", "validate", path, "-o", "xml"}, "none of table, json, yaml")
}

func TestConfigShowSaysWhereEachValueComesFrom(t *testing.T) {
	path := writeConfig(t, "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /x\n    layers: {retry: {}}\nhttp:\n  secret: sesame\n")
	t.Setenv("REGISTRY_HTTP_ADDR", "127.0.0.1:9")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", path, "--origin"})
	for _, want := range []string{
		"    rootdirectory: /x # " + path + ":4\n", "    maxthreads: 100 # default\n", "  addr: 127.0.0.1:9 # REGISTRY_HTTP_ADDR\n",
		"  secret: '***' # " + path + ":7\n", "        attempts: ",
	} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("want %q in\n%s", want, &c.out)
		}
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", path, "--origin", "-o", "table"})
	if !regexp.MustCompile(`(?m)^KEY +VALUE +ORIGIN$`).Match(c.out.Bytes()) || !regexp.MustCompile(`(?m)^http\.addr +127\.0\.0\.1:9 +REGISTRY_HTTP_ADDR$`).Match(c.out.Bytes()) {
		t.Errorf("got\n%s", &c.out)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", path, "-o", "json"})
	var shown struct{ HTTP map[string]any }
	if err := json.Unmarshal(c.out.Bytes(), &shown); err != nil || shown.HTTP["secret"] != "***" || shown.HTTP["addr"] != "127.0.0.1:9" {
		t.Errorf("got %v, %v", shown, err)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", path, "-o", "json", "--origin"})
	var values struct{ Values []config.Value }
	if err := json.Unmarshal(c.out.Bytes(), &values); err != nil || !slices.ContainsFunc(values.Values, func(v config.Value) bool {
		return v.Path == "http.addr" && v.Origin.Variable == "REGISTRY_HTTP_ADDR"
	}) {
		t.Errorf("got %v, %v", values, err)
	}
}

// TestConfigShowOfNothingIsWhatServeWouldUse shows the built-in configuration, and writes nothing.
func TestConfigShowOfNothingIsWhatServeWouldUse(t *testing.T) {
	t.Chdir(t.TempDir())
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show"}, "addr: "+defaultAddr, "rootdirectory: "+defaultDir)
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("want nothing written, got %v, %v", entries, err)
	}
}

// TestConfigSchemaJudgesTheDocumentation validates each configuration in docs with the schema and with Read.
func TestConfigSchemaJudgesTheDocumentation(t *testing.T) {
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "schema"})
	document, err := jsonschema.UnmarshalJSON(&c.out)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
		text := string(block[1])
		if !strings.HasPrefix(text, "version:") {
			continue
		}
		n++
		var v any
		if err := yaml.Unmarshal(block[1], &v); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
		newConsole(t, nil).wantStatus(t, statusOK, []string{"config", "validate", writeConfig(t, text)})
	}
	if n == 0 {
		t.Error("docs/configuration.md has no whole configuration")
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "schema", "-o", "yaml"}, "title: Configuration of a registry")
}

// allowedBy returns what an error of package factory lists as allowed, in ascending order.
func allowedBy(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	_, list, found := strings.Cut(err.Error(), "allowed are ")
	if !found {
		return nil
	}
	names := strings.Split(list, ", ")
	slices.Sort(names)
	return names
}

func keysOf(n *config.Node) []string { return slices.Sorted(maps.Keys(n.Keys)) }

// TestKnownParametersAreThoseOfTheDrivers asks each driver, and the layers, what they allow.
func TestKnownParametersAreThoseOfTheDrivers(t *testing.T) {
	drivers := newConsole(t, nil).app.compose()
	for _, name := range drivers.Names() {
		known := drivers.known().parameters(name)
		if known == nil {
			t.Errorf("the parameters of %s are not known", name)
			continue
		}
		_, err := drivers.Create(t.Context(), name, map[string]any{"no such": 1})
		got := slices.DeleteFunc(allowedBy(t, err), func(key string) bool { return key == stack.Key })
		if want := keysOf(known); !slices.Equal(got, want) {
			t.Errorf("%s: allows %q, known are %q (%v)", name, got, want, err)
		}
	}
	layers := withLayers(config.OfParameters(struct{}{})).Keys[stack.Key]
	_, err := stack.Parse(map[string]any{"no such": 1})
	if got, want := allowedBy(t, err), keysOf(layers); !slices.Equal(got, want) {
		t.Errorf("layers: allows %q, known are %q", got, want)
	}
	for _, section := range []string{"retry", "limit", "timeout"} {
		_, err := stack.Parse(map[string]any{section: map[string]any{"no such": 1}})
		if got, want := allowedBy(t, err), keysOf(layers.Keys[section]); !slices.Equal(got, want) {
			t.Errorf("layers.%s: allows %q, known are %q", section, got, want)
		}
	}
}

// TestConfigValidateJudgesLayers has what only the layers themselves know to be wrong.
func TestConfigValidateJudgesLayers(t *testing.T) {
	for layers, want := range map[string]string{
		"limit: {concurrency: 1}": "FILE:3: storage.filesystem has what cannot be used: layers.limit: parameter \"concurrency\" must be a whole number from 2 to 65535",
		"fault: [x y z]":          "FILE:3: storage.filesystem has what cannot be used: layers.fault: rule 1, \"x y z\": an effect is wanted",
	} {
		path := writeConfig(t, "version: 0.1\nstorage:\n  filesystem: {rootdirectory: /x, layers: {"+layers+"}}\n")
		c := newConsole(t, nil)
		c.wantStatus(t, statusUsage, []string{"config", "validate", path}, "there is 1 problem")
		if got := c.out.String(); !strings.HasPrefix(got, strings.Replace(want, "FILE", path, 1)) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
