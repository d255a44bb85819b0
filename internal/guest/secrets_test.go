package guest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/abi"
)

func TestSecretsAreHidden(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF==\n-----END KEY-----\n"
	long := strings.Repeat("S", 3*abi.MaxText)
	var secrets []string
	for _, v := range []any{"abcd", "abcdEFGH", key, "p&ss/w<rd", long, map[string]any{"n": 87654321.0}} {
		secrets = appendSecrets(secrets, v)
	}
	d := NewSecrets(secrets)
	for text, parts := range map[string][]string{
		"with abcdEFGH":                 {"EFGH"},
		key:                             {"MIIE", "kqhk"},
		"second line: kqhkiG9w0BAQEF==": {"kqhk"},
		`{"key":"p\u0026ss/w\u003crd"}`: {"ss/w"},
		"http://a/?p=p%26ss%2Fw%3Crd":   {"ss%2Fw"},
		"87654321":                      {"8765"},
		strings.Repeat("x", 4*512-10) + "abcdEFGH": {"abcd"},
		long + long + long:                         {"SSSS"},
	} {
		for _, got := range []string{d.Clean(text, 512), d.CleanLines(text, abi.MaxText)} {
			for _, p := range parts {
				if strings.Contains(got, p) {
					t.Errorf("%.60q became %.60q, which has %q", text, got, p)
				}
			}
		}
	}
}

func TestMoreSecretsAreHidden(t *testing.T) {
	h := NewSecrets([]string{"sesame-4711"}).With("p&ss/word", "abc", "first line\nsecond line")
	if got := h.Hide("sesame-4711, p&ss/word, p%26ss%2Fword, abc, second line"); got != "(secret), (secret), (secret), abc, (secret)" {
		t.Errorf("got %q", got)
	}
	if got := (Secrets{}).With("sesame-4711").Hide("sesame-4711"); got != "(secret)" {
		t.Errorf("got %q", got)
	}
}

func TestTextsOfTheSchemaAreOneLine(t *testing.T) {
	p, err := NewParameters(json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{
"size":{"type":"integer","minimum":5242880,"description":"a\nb\u001b[31m","pattern":"\u001b\\d"},"x\u001b":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range []map[string]any{{"size": "x"}, {"size": 1}, {"colour": 1}} {
		_, err := p.Decode(given)
		if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") || given["size"] != nil && !strings.Contains(err.Error(), "at least 5242880") {
			t.Errorf("%v: %v", given, err)
		}
	}
	_, err = p.Decode(map[string]any{"size": []string{"secret"}})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestSchemasRefuseReferences(t *testing.T) {
	_, err := NewParameters(json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{}}}`))
	if err == nil || !strings.Contains(err.Error(), `"$ref"`) {
		t.Errorf("%v", err)
	}
}

func TestACutSecretIsTrimmed(t *testing.T) {
	h := NewSecrets([]string{"sesame-4711", "other"})
	for text, want := range map[string]string{
		"the key is sesame-4": "the key is ", "the key is s": "the key is ", "sesame-4711": "sesame-4711", "nothing": "nothing", "the ot": "the ", "": "",
	} {
		if got := h.Trim(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := (Secrets{}).Trim("s"); got != "s" {
		t.Errorf("got %q", got)
	}
}
