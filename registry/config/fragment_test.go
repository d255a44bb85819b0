package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rule is what an element of a list is; its text alone is an origin.
type rule struct {
	Origin lower  `parameter:"origin"`
	Nested nested `parameter:"nested"`
}

type nested struct {
	Key   string `parameter:"anything,secret"`
	Times int    `parameter:"times"`
}

// lower checks itself.
type lower string

func (l *lower) UnmarshalText(text []byte) error {
	if s := string(text); s != strings.ToLower(s) {
		return fmt.Errorf("must be in lower case, a Small thing")
	}
	*l = lower(text)
	return nil
}

// ruled is a driver with a list of rules, and a map of itself.
func ruled() Driver {
	n := OfParameters(struct {
		Rules []any          `parameter:"rules"`
		Inner map[string]any `parameter:"inner"`
		Last  int            `parameter:"last"`
	}{})
	elem := OfParameters(rule{})
	elem.Alone, elem.Required, elem.Def = "origin", []string{"origin"}, "rule"
	n.Keys["rules"] = &Node{Kind: List, Lenient: true, Elem: elem}
	n.Keys["inner"] = &Node{Kind: Map, Elem: n}
	n.Def = "ruled"
	return Driver{Name: "ruled", Parameters: n, Judge: func(parameters map[string]any) error {
		switch parameters["last"] {
		case 1:
			return &PlaceError{Key: "rules[0]", Message: "comes too early"}
		case 2:
			return errors.Join(&PlaceError{Key: "last", Message: "is 2"}, errors.New("all of it is bad"))
		}
		return nil
	}}
}

func TestFragments(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"# nothing\n":                        "",
		"rules: [a, {origin: b}]\nlast: 3\n": "",
		"inner: {x: {inner: {z: {rules: [a]}}}}\n":      "",
		"rules: [Abcd]\n":                               "f.yml:1: rules[0] must be in lower case, a Small thing",
		"rules: [Small]\n":                              "f.yml:1: rules[0] is not allowed",
		"rules:\n  - {origin: B}\n":                     "f.yml:2: rules[0].origin must be in lower case, a Small thing",
		"rules: [{nested: {times: 1}}]\n":               "f.yml:1: rules[0].origin is missing",
		"inner: {x: {rules: [{nested: {times: x}}]}}\n": "f.yml:1: inner.x.rules[0].nested.times must be a whole number",
		"inner: {x: {rules: [{nested: {times: 1}}]}}\n": "f.yml:1: inner.x.rules[0].origin is missing",
		"rules: [a]\nlast: 1\n":                         "f.yml:1: rules[0] comes too early",
		"rules: [a]\nlast: 2\n":                         "f.yml: has what cannot be used: all of it is bad (and 1 more)",
		"- a\n":                                         "f.yml:1: is no map of the driver's parameters",
		"a: [\n":                                        "f.yml:1: is not YAML: did not find expected node content",
		"rulez: []\nlst: 5\n":                           "f.yml:1: rulez is unknown; did you mean rules? (and 1 more)",
	} {
		f, err := ReadFragment(strings.NewReader(text), "f.yml", ruled())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := f.Err(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f, err := ReadFragment(strings.NewReader("rules: [a, {origin: b, nested: {times: 5}}]\nlast: 3\n"), "f.yml", ruled())
	want := map[string]any{"rules": []any{"a", map[string]any{"origin": "b", "nested": map[string]any{"times": 5}}}, "last": 3}
	if err != nil || !reflect.DeepEqual(f.Parameters, want) {
		t.Errorf("got %#v, %v", f.Parameters, err)
	}
}

func readRuled(t *testing.T, text string) *Document {
	t.Helper()
	d, err := New(Known{Drivers: []Driver{ruled()}}).Read(strings.NewReader(text), "config.yml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatADriverSaysOfAKeyHasItsLine(t *testing.T) {
	d := readRuled(t, "version: 0.1\nstorage:\n  ruled:\n    rules:\n      - a\n    last: 2\n")
	expectProblems(t, d, "config.yml:3: storage.ruled has what cannot be used: all of it is bad", "config.yml:6: storage.ruled.last is 2")
	t.Setenv("REGISTRY_STORAGE_RULED_LAST", "1")
	d = readRuled(t, "version: 0.1\nstorage:\n  ruled:\n    rules:\n      - a\n")
	expectProblems(t, d, "config.yml:5: storage.ruled.rules[0] comes too early")
}

// TestListsOfVariables has elements set one by one, and by whole, and on top of a file.
func TestListsOfVariables(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_RULED_RULES_0", "a")
	t.Setenv("REGISTRY_STORAGE_RULED_RULES_1_ORIGIN", "b")
	t.Setenv("REGISTRY_STORAGE_RULED_RULES_1_NESTED_ANYTHING", "sesame")
	t.Setenv("REGISTRY_STORAGE_RULED_INNER_X_RULES_0_ORIGIN", "c")
	d := readRuled(t, "version: 0.1\nstorage: ruled\n")
	expectProblems(t, d)
	want := map[string]any{
		"rules": []any{"a", map[string]any{"origin": "b", "nested": map[string]any{"anything": "sesame"}}},
		"inner": map[string]any{"x": map[string]any{"rules": []any{map[string]any{"origin": "c"}}}},
	}
	if got := map[string]any(d.Config.Storage["ruled"]); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	shown := map[string]any{}
	for _, v := range d.Values() {
		shown[v.Path] = fmt.Sprint(v.Value, " ", v.Origin)
	}
	for path, want := range map[string]string{
		"storage.ruled.rules[0]":                 "a REGISTRY_STORAGE_RULED_RULES_0",
		"storage.ruled.rules[1].nested.anything": "*** REGISTRY_STORAGE_RULED_RULES_1_NESTED_ANYTHING",
	} {
		if shown[path] != want {
			t.Errorf("%s: got %q, want %q", path, shown[path], want)
		}
	}
	const inFile = "has no effect, in distribution either, where the file has storage.ruled.rules; set it there"
	d = readRuled(t, "version: 0.1\nstorage: {ruled: {rules: [x]}}\n")
	expectProblems(t, d,
		"REGISTRY_STORAGE_RULED_RULES_0: storage.ruled.rules[0] "+inFile,
		"REGISTRY_STORAGE_RULED_RULES_1_NESTED_ANYTHING: storage.ruled.rules[1].nested.anything "+inFile,
		"REGISTRY_STORAGE_RULED_RULES_1_ORIGIN: storage.ruled.rules[1].origin "+inFile)
}

func TestListsWithAGapAreNoLists(t *testing.T) {
	for v, want := range map[string]any{
		"gap":   map[string]any{"0": 1, "2": 2},
		"names": map[string]any{"0": 1, "x": 2},
		"empty": map[string]any{},
	} {
		if list, ok := elements(want); ok {
			t.Errorf("%s: got %v", v, list)
		}
	}
}

// TestSchemaOfWhatContainsItself compiles, and judges as Read does.
func TestSchemaOfWhatContainsItself(t *testing.T) {
	c := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schemaText(t, New(Known{Drivers: []Driver{ruled()}}))))
	if err == nil {
		err = c.AddResource("s.json", document)
	}
	if err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, right := range map[string]bool{
		"rules: [a, {origin: b}]":                    true,
		"inner: {x: {inner: {z: {rules: [a]}}}}":     true,
		"rules: [{origin: b, nested: {times: '5'}}]": true,
		"rules: [[a]]":                                  false,
		"rules: [{orign: b}]":                           false,
		"inner: {x: {inner: {z: {rulez: [a]}}}}":        false,
		"rules: [{origin: b, nested: {times: {a: b}}}]": false,
	} {
		if err := schema.Validate(asJSON(t, "version: 0.1\nstorage: {ruled: {"+text+"}}\n")); (err == nil) != right {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
