package guest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
)

const testSchema = `{"type":"object","additionalProperties":false,"required":["endpoint"],"properties":{
"endpoint":{"type":"string","description":"the server's URL"},
"chunksize":{"type":"integer","minimum":1,"maximum":100},
"ratio":{"type":"number"},
"verify":{"type":"boolean"},
"tags":{"type":"array","items":{"type":"string"}},
"options":{"type":"object"},
"mode":{"enum":["plain","fancy"]},
"either":{"type":["integer","string"]},
"password":{"type":"string","minLength":8,"pattern":"^[a-z-]+$","writeOnly":true}}}`

func testParameters(t *testing.T) *Parameters {
	t.Helper()
	p, err := NewParameters(json.RawMessage(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParametersAreCoerced(t *testing.T) {
	p := testParameters(t)
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"chunksize", "42", "42"}, {"chunksize", 42, "42"}, {"chunksize", int64(42), "42"}, {"chunksize", 42.0, "42"}, {"chunksize", uint8(7), "7"},
		{"ratio", "0.5", "0.5"}, {"ratio", 2, "2"}, {"verify", "true", "true"}, {"verify", " 0", "false"}, {"verify", true, "true"},
		{"tags", "a, b,,c", `["a","b","c"]`}, {"tags", []any{"a"}, `["a"]`}, {"tags", []string{"a"}, `["a"]`}, {"tags", "", `[]`},
		{"options", map[any]any{"a": map[any]any{1: "b"}}, `{"a":{"1":"b"}}`}, {"options", map[string]any{}, `{}`},
		{"mode", "fancy", `"fancy"`}, {"endpoint", 1234, `"1234"`}, {"endpoint", true, `"true"`}, {"either", "7", "7"}, {"either", "x", `"x"`},
		{"chunksize", nil, ""}, {"endpoint", 12345678.0, `"12345678"`}, {"endpoint", json.Number("1"), `"1"`},
	} {
		given := map[string]any{"endpoint": "e", c.name: c.in}
		values, err := p.Decode(given)
		if err != nil {
			t.Errorf("%s %#v: %v", c.name, c.in, err)
			continue
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(values.JSON, &got); err != nil {
			t.Fatal(err)
		}
		if string(got[c.name]) != c.want {
			t.Errorf("%s %#v became %s, want %s", c.name, c.in, got[c.name], c.want)
		}
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	p := testParameters(t)
	for _, c := range []struct {
		name  string
		in    any
		parts []string
	}{
		{"bogus", 1, []string{`unknown parameter "bogus"`, "chunksize, either, endpoint, mode"}},
		{"chunksize", "many", []string{`"chunksize" must be an integer from 1 to 100`}},
		{"chunksize", 101, []string{`"chunksize" must be an integer`, "from 1 to 100"}},
		{"chunksize", 1.5, []string{"an integer"}}, {"chunksize", true, []string{"an integer"}}, {"ratio", "NaN", []string{"a number"}},
		{"verify", "perhaps", []string{"true or false"}}, {"verify", 1, []string{"true or false"}},
		{"mode", "odd", []string{`one of "plain", "fancy"`}}, {"tags", 5, []string{"a list"}}, {"tags", []any{1}, []string{"a list"}},
		{"options", "x", []string{"a map"}}, {"endpoint", []any{}, []string{"a string", "the server's URL"}},
		{"password", "SECRET", []string{`"password"`, "at least 8 characters"}}, {"password", "SECRET-IS-LONG", []string{`"password"`, "matches ^[a-z-]+$"}},
		{"password", []any{"SECRET"}, []string{`"password"`}},
	} {
		_, err := p.Decode(map[string]any{"endpoint": "e", c.name: c.in})
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%s %#v: %v", c.name, c.in, err)
			continue
		}
		for _, part := range c.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %#v: %q does not say %q", c.name, c.in, err, part)
			}
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error is %q", c.name, err)
		}
	}
	_, err := p.Decode(nil)
	if err == nil || !strings.Contains(err.Error(), `parameter "endpoint" is missing`) {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestSecretsAreCollected(t *testing.T) {
	values, err := testParameters(t).Decode(map[string]any{"endpoint": "public", "password": "abcdefgh"})
	if err != nil || values.Secrets.Hide("public abcdefgh") != "public (secret)" || string(values.Public) != `{"endpoint":"public"}` {
		t.Errorf("%q, %q, %v", values.Secrets.Hide("public abcdefgh"), values.Public, err)
	}
}

func TestSchemasThatAreNone(t *testing.T) {
	for _, bad := range []string{`[]`, `{}`, `{"type":"object"}`, `{"type":"object","additionalProperties":true}`,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"nonsense"}}}`,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"file:///etc/passwd"}}}`,
		`{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"http://127.0.0.1:1/x"}}}`} {
		_, err := NewParameters(json.RawMessage(bad))
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	p, err := NewParameters(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decode(map[string]any{"a": 1}); err == nil || !strings.Contains(err.Error(), "allowed: none") {
		t.Errorf("%v", err)
	}
}

func FuzzParameters(f *testing.F) {
	f.Add("chunksize", "12")
	f.Add("tags", "a,b")
	f.Add("password", "abcdefgh")
	p, err := NewParameters(json.RawMessage(testSchema))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		values, err := p.Decode(map[string]any{"endpoint": "e", name: value})
		if err == nil && (!json.Valid(values.JSON) || !json.Valid(values.Public)) {
			t.Fatalf("%q, %q", values.JSON, values.Public)
		}
	})
}
