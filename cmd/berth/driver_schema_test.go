package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/registry/config"
)

// offline refuses to read schemas from anywhere; those of the drafts are compiled into the library.
type offline struct{}

func (offline) Load(url string) (any, error) { return nil, fmt.Errorf("%s is to be read", url) }

// compiledSchema compiles a schema, which is itself judged by the schema of its draft.
func compiledSchema(t *testing.T, document any) *jsonschema.Schema {
	t.Helper()
	if draft := document.(map[string]any)["$schema"]; draft != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("the schema is of %v", draft)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(offline{})
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func printedSchema(t *testing.T, env map[string]string, name string) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	c := newConsole(t, env)
	c.wantStatus(t, statusOK, []string{"driver", "schema", name})
	document, err := jsonschema.UnmarshalJSON(&c.out)
	if err != nil {
		t.Fatal(err)
	}
	return compiledSchema(t, document), document.(map[string]any)
}

// judged validates parameters as YAML has them.
func judged(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

// schemaCases has for each driver what is right, and what is wrong beside an unknown parameter.
var schemaCases = map[string]struct{ right, wrong []string }{
	"filesystem": {
		[]string{"{}", "{rootdirectory: /x, maxthreads: '100', fsync: off}", "{fsync: 'off', layers: {retry: {attempts: 3, wait: 1s}, fault: [x], readonly: 'true'}}"},
		[]string{"{maxthreads: many}", "{fsync: sometimes}", "{layers: {retry: {nonsense: 1}}}", "{layers: {timeout: {bulk: soon}}}"},
	},
	"inmemory": {[]string{"{}", "{layers: {limit: {concurrency: 2}}}"}, []string{"{layers: {nonsense: 1}}"}},
	"ipc":      {[]string{"{path: /x, env: [A=b], memory: 1000000, parameters: {anything: [1]}}"}, []string{"{confine: perhaps}"}},
	"wasm": {
		[]string{"{module: a.wasm, allow: ['https://a', {origin: 'https://b', credential: {bearer: {token: x}}, tls: {minimum: '1.3'}}], limits: {memory: 1048576}, stores: {a: inmemory, b: {filesystem: {rootdirectory: /x}}}}"},
		[]string{"{allow: [{credential: {}}]}", "{stores: {a: {nonsense: {}}}}", "{limits: {nonsense: 1}}", "{secrets: {a: {nonsense: 1}}}"},
	},
	"migrate": {
		[]string{"{old: {filesystem: {rootdirectory: /x}}, new: inmemory, copy: false, parallel: 4, verify: size}"},
		[]string{"{old: {nonsense: {}}, new: inmemory}", "{verify: perhaps}", "{copy: perhaps}"},
	},
	"s3": {
		[]string{"{bucket: b, region: eu-central-1, accesskey: A, secretkey: 's', storageclass: standard_ia, chunksize: '10485760', loglevel: off, filesunderfiles: true, probe: false}"},
		[]string{"{storageclass: COLD}", "{chunksize: large}", "{secure: perhaps}"},
	},
}

func TestDriverSchema(t *testing.T) {
	k := newConsole(t, nil).app.compose().known()
	for _, d := range k.Drivers {
		name := d.Name
		schema, _ := printedSchema(t, nil, name)
		if name == s3.AliasName {
			name = s3.Name
		}
		cases, there := schemaCases[name]
		if !there {
			t.Errorf("there are no cases for %s", name)
		}
		for _, text := range cases.right {
			if err := judged(t, schema, text); err != nil {
				t.Errorf("%s: %s: %v", name, text, err)
			}
		}
		for _, text := range append(cases.wrong, "{nonsense: 1}") {
			if err := judged(t, schema, text); err == nil {
				t.Errorf("%s: accepted: %s", name, text)
			}
		}
	}
}

// TestDriverSchemaSaysWhatParametersAreFor fails for a parameter without a doc comment, and for descriptions that were not generated again.
func TestDriverSchemaSaysWhatParametersAreFor(t *testing.T) {
	k := newConsole(t, nil).app.compose().known()
	for _, d := range k.Drivers {
		if d.Parameters == nil {
			t.Errorf("the parameters of %s are not known", d.Name)
			continue
		}
		for key, child := range d.Parameters.Keys {
			if child.Description == "" && child.Def == "" {
				t.Errorf("%s: nothing says what %s is for: run go generate ./cmd/berth", d.Name, key)
			}
		}
	}
}

func TestDriverSchemaHidesSecrets(t *testing.T) {
	k := newConsole(t, nil).app.compose().known()
	properties := config.Driver{Name: s3.Name, Parameters: k.parameters(s3.Name)}.Schema()["properties"].(map[string]any)
	for key, secret := range map[string]bool{"secretkey": true, "accesskey": true, "sessiontoken": true, "ssecustomerkey": true, "bucket": false, "region": false} {
		one := properties[key].(map[string]any)
		if got := one["writeOnly"] == true; got != secret {
			t.Errorf("%s: writeOnly is %v", key, one["writeOnly"])
		}
	}
}

// TestDriverSchemaOfFiles is what the manifest declares.
func TestDriverSchemaOfFiles(t *testing.T) {
	schema, document := printedSchema(t, nil, webdavWasm(t))
	for text, right := range map[string]bool{"{endpoint: 'http://a/'}": true, "{endpoint: 'http://a/', nonsense: 1}": false, "{endpoint: 5}": false} {
		if err := judged(t, schema, text); (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
	}
	if title := document["title"]; title != "Parameters of the storage driver webdav" {
		t.Errorf("the title is %v", title)
	}
	folder, env := searchPath(t, map[string]string{"disk": executable(t, "filesystem")})
	for _, name := range []string{"disk", filepath.Join(folder, filePrefix+"disk")} {
		schema, _ = printedSchema(t, env, name)
		for text, right := range map[string]bool{"{rootdirectory: /x, maxthreads: '5'}": true, "{nonsense: 1}": false} {
			if err := judged(t, schema, text); (err == nil) != right {
				t.Errorf("%s: %s: %v", name, text, err)
			}
		}
	}
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"driver", "schema", "nosuch"}, "berth driver ls")
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"driver", "schema", "nosuch.wasm"}, "nosuch.wasm")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "schema"}, "accepts 1 arg")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "schema", "filesystem", "-o", "table"}, "none of json, yaml")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "schema", "filesystem", "-o", "yaml"}, "rootdirectory:")
	if strings.Contains(c.out.String(), "{") {
		t.Errorf("no YAML: %s", &c.out)
	}
}
