package berth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

type sample struct {
	endpoint, password, mode string
	size                     int64
	fast                     bool
	wait                     time.Duration
}

func (s *sample) fields() Fields {
	return Fields{
		String("endpoint", &s.endpoint).Describe(`a "URL"`).Required(),
		String("password", &s.password).Secret(),
		String("mode", &s.mode).OneOf("a", "b"),
		Int("size", &s.size).Range(1, 100),
		Bool("fast", &s.fast),
		Duration("wait", &s.wait),
	}
}

func TestParametersAreDecoded(t *testing.T) {
	var s sample
	err := s.fields().Decode([]byte(` { "endpoint" : "h\u00e9\ud83d\ude00\n\/", "size":42, "fast":true, "wait":"1m30s", "mode":"b" } `))
	if err != nil {
		t.Fatal(err)
	}
	if want := (sample{endpoint: "hé😀\n/", size: 42, fast: true, wait: 90 * time.Second, mode: "b"}); s != want {
		t.Fatalf("got %+v, want %+v", s, want)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	for params, want := range map[string]string{
		`{}`:                                `"endpoint" is missing`,
		`{"endpoint":1}`:                    `"endpoint" must be a string, not a number`,
		`{"endpoint":"x","nope":{"a":[1]}}`: `unknown parameter "nope"; there are: endpoint, password`,
		`{"endpoint":"x","size":0}`:         `"size" must be 1 to 100`,
		`{"endpoint":"x","size":1.5}`:       `"size" must be a whole number`,
		`{"endpoint":"x","fast":"true"}`:    `"fast" must be true or false`,
		`{"endpoint":"x","wait":"soon"}`:    `"wait" must be a duration`,
		`{"endpoint":"x","mode":"c"}`:       `"mode" must be one of a, b`,
		`{"password":["hunter2"]}`:          `"password" must be a string, not an object or array`,
		`[]`:                                `not a JSON object`,
		`{"endpoint":"x"`:                   `not a JSON object`,
		`{"endpoint":"x"} x`:                `not a JSON object`,
		`{"endpoint":x}`:                    `not a JSON object`,
	} {
		var s sample
		err := s.fields().Decode([]byte(params))
		if err == nil || KindOf(err) != KindInvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", params, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the value: %v", params, err)
		}
	}
}

func TestTheManifestIsJSON(t *testing.T) {
	m := Manifest{Name: "x", Version: "1", Description: "a \"b\"\n", Parameters: (&sample{}).fields(),
		Hosts: []string{"{endpoint}"}, Memory: 1 << 20, Abilities: AbilityMove | AbilityDeleteTree}
	var got struct {
		Description string
		Hosts       []string
		Abilities   []string
		Schema      struct {
			AdditionalProperties *bool
			Required             []string
			Properties           map[string]struct {
				Type      string
				WriteOnly bool
			}
		}
	}
	if err := json.Unmarshal(m.JSON(), &got); err != nil {
		t.Fatalf("%s: %v", m.JSON(), err)
	}
	if got.Description != m.Description || strings.Join(got.Abilities, ",") != "move,delete-tree" || got.Hosts[0] != "{endpoint}" ||
		*got.Schema.AdditionalProperties || !got.Schema.Properties["password"].WriteOnly || got.Schema.Required[0] != "endpoint" ||
		got.Schema.Properties["size"].Type != "integer" {
		t.Fatalf("got %s", m.JSON())
	}
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte(`{"endpoint":"\ud83d\ude00\n"}`))
	f.Add([]byte(`{"endpoint":"x","a":{"b":["}"]}}`))
	f.Add([]byte(`{"endpoint":"x","size":12,"fast":false}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sample
		err := s.fields().Decode(b)
		var want struct{ Endpoint *string }
		if err != nil || !utf8.Valid(b) || strings.Count(string(b), "ndpoint") != 1 || json.Unmarshal(b, &want) != nil || want.Endpoint == nil {
			return
		}
		if s.endpoint != *want.Endpoint {
			t.Fatalf("%q: got endpoint %q, encoding/json has %q", b, s.endpoint, *want.Endpoint)
		}
	})
}
