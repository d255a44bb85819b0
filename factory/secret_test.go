package factory_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

const secretText = "correct horse battery"

// keys has secrets where a printer meets them: exported, behind a pointer, in a collection, and where it may not call methods.
type keys struct {
	Own     factory.Secret
	Pointer *factory.Secret
	List    []factory.Secret
	Map     map[string]factory.Secret
	Any     any
	inside  factory.Secret
	_       factory.Secret
}

func secretKeys() keys {
	s := factory.NewSecret(secretText)
	return keys{Own: s, Pointer: &s, List: []factory.Secret{s}, Map: map[string]factory.Secret{"k": s}, Any: s, inside: s}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s, all := factory.NewSecret(secretText), secretKeys()
	if all.inside.Reveal() != secretText {
		t.Fatalf("the secret is %q", all.inside.Reveal())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%b", "%o", "%U", "%e", "%c", "%20.3s"} {
		for name, value := range map[string]any{"itself": s, "its pointer": &s} {
			if got := fmt.Sprintf(verb, value); got != "(secret)" {
				t.Errorf("%s of %s is %q", verb, name, got)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%!"} {
		for name, value := range map[string]any{"itself": s, "a struct": all, "its pointer": &all, "an array": [1]keys{all}} {
			unrevealed(t, verb+" of "+name, fmt.Sprintf(verb, value))
		}
	}
}

func TestSecretIsNeverEncoded(t *testing.T) {
	s, all := factory.NewSecret(secretText), secretKeys()
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("opened", "secret", s, "keys", all, slog.Group("g", "pointer", &s))
	}
	if n := strings.Count(logged.String(), "(secret)"); n < 4 {
		t.Errorf("the log has %d secrets in it: %s", n, &logged)
	}
	unrevealed(t, "slog", logged.String())
	for name, encode := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
		text, err := encode(all)
		if n := strings.Count(string(text), "(secret)"); err != nil || n != 5 {
			t.Errorf("%s has %d of 5 secrets: %s, %v", name, n, text, err)
		}
		unrevealed(t, name, string(text))
	}
	text, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"keys"`
		Own     factory.Secret
		Attr    factory.Secret `xml:",attr"`
	}{Own: s, Attr: s})
	if err != nil || string(text) != `<keys Attr="(secret)"><Own>(secret)</Own></keys>` {
		t.Errorf("XML is %s, %v", text, err)
	}
}

// unrevealed demands that printed has no word of the secret in it, in letters or in hexadecimal.
func unrevealed(t *testing.T, what, printed string) {
	t.Helper()
	for _, word := range strings.Fields(secretText) {
		for _, form := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word)} {
			if strings.Contains(printed, form) {
				t.Errorf("%s shows the secret: %s", what, printed)
				return
			}
		}
	}
}

func TestNoSecret(t *testing.T) {
	var none factory.Secret
	if factory.NewSecret("") != none || none.Reveal() != "" {
		t.Errorf("no text makes %v, which reveals %q", factory.NewSecret(""), none.Reveal())
	}
	if got := fmt.Sprintf("%v %+v %#v", none, none, none); got != "(none) (none) (none)" {
		t.Errorf("no secret prints as %q", got)
	}
	if text, err := json.Marshal(none); err != nil || string(text) != `""` {
		t.Errorf("no secret in JSON is %s, %v", text, err)
	}
}

// Two secrets of one text differ, so that nothing is learnt of a text by ==; a copy is equal, and that is all it says.
func TestSecretsAreComparedByIdentity(t *testing.T) {
	s := factory.NewSecret(secretText)
	if again := s; again != s {
		t.Error("a copy of a secret is not equal to it")
	}
	if factory.NewSecret(secretText) == s {
		t.Error("two secrets made of one text are equal")
	}
}

func TestSecretIsAParameter(t *testing.T) {
	var config struct {
		Password factory.Secret `parameter:"password,secret"`
	}
	if err := factory.Decode(map[string]any{"password": 1234567}, &config); err != nil {
		t.Fatal(err)
	}
	if got := config.Password.Reveal(); got != "1234567" {
		t.Errorf("the password is %q", got)
	}
	schema, err := factory.Schema(config)
	if err != nil || !strings.Contains(string(schema), `"password":{"type":["string"],"writeOnly":true}`) {
		t.Errorf("%s, %v", schema, err)
	}
	if err := factory.Decode(map[string]any{"password": ""}, &config); err != nil || config.Password.Reveal() != "" {
		t.Errorf("the empty password reveals %q, %v", config.Password.Reveal(), err)
	}
	err = factory.Decode(map[string]any{"password": "(secret)"}, &config)
	if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), `parameter "password" must be the secret itself, not what it was printed as`) {
		t.Errorf("what a secret is printed as: %v", err)
	}
}
