package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml2 "go.yaml.in/yaml/v2"
)

func schemaText(t *testing.T, tree *Tree) string {
	t.Helper()
	text, err := json.Marshal(tree.Schema())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schemaText(t, testTree())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON is what an editor makes of YAML.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml2.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return stringKeys(v)
}

func stringKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, value := range v {
			out[key.(string)] = stringKeys(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = stringKeys(v[i])
		}
		return out
	}
	return v
}

func TestSchemaAcceptsWhatIsRight(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		inMemory, everySecret,
		"version: '0.1'\nstorage: {filesystem: {rootdirectory: /x, maxthreads: '100', wait: 1m30s, list: 'a,b', retry: {attempts: 3, enabled: 'true'}, parameters: {x: [1]}}, delete: {enabled: true}}\n",
		"version: 0.1\nstorage: {anything: {a: {b: 1}}, cache: {blobdescriptor: redis}}\nredis: {addrs: [a], db: 3, dialtimeout: 10ms}\n",
		inMemory + "auth: none\n", inMemory + "log: {level: Debug}\nloglevel: ERROR\n", inMemory + "http:\n  draintimeout: 0\n",
		inMemory + "middleware: {storage: [{name: redirect, options: {baseurl: 'https://a'}}]}\nhttp: {headers: {A: [b]}}\n",
		inMemory + "validation: {manifests: {indexes: {platforms: List, platformlist: [{os: linux}]}}}\nproxy: {remoteurl: 'http://a', ttl: 168h}\n",
	} {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
		if err := read(t, text).Err(); err != nil {
			t.Errorf("and yet it is refused: %v", err)
		}
	}
}

func TestSchemaRefusesWhatIsWrong(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		"storage: inmemory\n", "version: 0.1\n", "version: 0.2\nstorage: inmemory\n",
		"version: 0.1\nstorage: filesytem\n", "version: 0.1\nstorage: {s3: {bucket: b}}\n", "version: 0.1\nstorage: {filesystem: {rootdirectry: /x}}\n",
		"version: 0.1\nstorage: {filesystem: {maxthreads: many}}\n", "version: 0.1\nstorage: {filesystem: {retry: {enabled: 5}}}\n",
		inMemory + "http: {adr: x}\n", inMemory + "http: {relativeurls: 'yes'}\n", inMemory + "http: {draintimeout: soon}\n",
		inMemory + "log: {level: loud}\n", inMemory + "auth: {ldap: {}}\n", inMemory + "auth: {silly: {realm: r}}\n",
		inMemory + "middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://a'}}]}\n", inMemory + "middleware: {storage: [{name: redirect, options: {}}]}\n",
		inMemory + "notifications: {endpoints: [{name: a, url: b, ignore: {actions: [pulls]}}]}\n", inMemory + "redis: {pool: {}}\n",
		"version: 0.1\nstorage: {inmemory: {}, cache: {blobdescriptor: memcached}}\n",
	} {
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("accepted: %s", text)
		}
		if read(t, text).Err() == nil {
			t.Errorf("and yet it is accepted: %s", text)
		}
	}
}

func TestSchemaHoldsEachKeyAndNoSecretDefault(t *testing.T) {
	text, err := json.Marshal(testTree().Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range testTree().Keys("") {
		name := path[strings.LastIndex(path, ".")+1:]
		if !strings.Contains(string(text), `"`+strings.ReplaceAll(name, "[]", "")+`"`) {
			t.Errorf("the schema has no %s", path)
		}
	}
}
