package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// spelled are the forms that guests compute of a text, between neighbours.
func spelled(s string) map[string]string {
	inJSON, _ := json.Marshal(map[string]string{"key": s})
	out := map[string]string{
		"as it is": "<" + s + ">", "json": string(inJSON), "query": "?a=" + url.QueryEscape(s) + "&", "path": "/" + url.PathEscape(s) + "/",
		"hex": "x" + hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))),
	}
	for skip := range 5 {
		whole := []byte("user:"[:skip] + s + "\x17\xff"[:skip%3])
		out["base64 "+string(rune('0'+skip))] = "Basic " + base64.StdEncoding.EncodeToString(whole) + "\n"
		out["base64 escaped "+string(rune('0'+skip))] = url.QueryEscape(base64.StdEncoding.EncodeToString(append(whole, "ab="...)))
		out["base64 unpadded "+string(rune('0'+skip))] = base64.RawStdEncoding.EncodeToString(whole) + "."
	}
	return out
}

func TestAFormOfASecretBecomesThatOfItsPlaceholder(t *testing.T) {
	for _, s := range []string{
		"abcd", "geheim-1234", "A/+z9?>~oo", "pass&word<>\"'\\", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "schlüssel-ä", "日本語のパス", "!!!!....----",
		"deadbeef01", "Zm9vYmFyYmF6", "87654321", "a b c d", "user:pass@host", "\x00\x01binary~\x7f",
	} {
		r := NewRedactor([]string{s})
		p := r.secrets[0].placeholder
		if len(p) != len(s) || p == s {
			t.Fatalf("%q stands for %q", p, s)
		}
		want := spelled(p)
		for name, text := range spelled(s) {
			got := string(r.Bytes([]byte(text)))
			if got != want[name] {
				t.Errorf("%q %s: %q became %q, want %q", s, name, text, got, want[name])
			}
		}
	}
}

func TestPlaceholdersKeepTheKindOfCharacters(t *testing.T) {
	s := "aZ09fF-/+=_.ghXY"
	for range 50 {
		p := placeholder(s)
		for i := range s {
			a, b := classOf(s[i]), classOf(p[i])
			if a != b || a != other && s[i] == p[i] || a == other && s[i] != p[i] {
				t.Fatalf("%q stands for %q: byte %d", p, s, i)
			}
		}
	}
}

func TestPiecesOfASecretAreReplaced(t *testing.T) {
	r := NewRedactor([]string{"sesame-4711-open"})
	p := r.secrets[0].placeholder
	whole := "the word is sesame-4711-open, now"
	for cut := range len(whole) {
		got := string(r.Bytes([]byte(whole[:cut]))) + string(r.Bytes([]byte(whole[cut:])))
		want := "the word is " + p + ", now"
		if in := cut - len("the word is "); in > 0 && in < shortest {
			want = "the word is sesame-4711-open"[:cut] + want[cut:] // so few bytes are no secret
		} else if in > len(p)-shortest && in < len(p) {
			want = want[:cut] + whole[cut:]
		}
		if got != want {
			t.Errorf("cut at %d: %q, want %q", cut, got, want)
		}
	}
}

func TestARangeTakesWholeSecrets(t *testing.T) {
	r := NewRedactor([]string{"sesame-4711-open"})
	b := []byte("....sesame-4711-open....")
	out, at := r.Range(b, 8, 10)
	if at != 4 || string(out) != r.secrets[0].placeholder {
		t.Errorf("got %q at %d", out, at)
	}
	if out, at = r.Range(b, 0, 4); at != 0 || string(out) != "...." {
		t.Errorf("got %q at %d", out, at)
	}
}

func TestLinesOfASecretAreSecrets(t *testing.T) {
	r := NewRedactor([]string{"-----BEGIN-----\nabcdefgh\nijklmnop\n-----END-----\n"})
	for _, text := range []string{"abcdefgh", "ijklmnop"} {
		if got := r.Text("x " + text + " y"); strings.Contains(got, text) {
			t.Errorf("%q is left in %q", text, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("geheim-1234", []byte("the password is geheim-1234 and Z2VoZWltLTEyMzQ= too"))
	f.Add("aaaa", []byte("aaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, secret string, b []byte) {
		r := NewRedactor([]string{secret})
		before := bytes.Clone(b)
		out := r.Bytes(b)
		if len(out) != len(b) || !bytes.Equal(b, before) {
			t.Fatalf("%d bytes became %d, or were changed themselves", len(b), len(out))
		}
		if got := r.Bytes([]byte("<" + secret + ">")); len(r.secrets) > 0 && r.secrets[0].text == secret && bytes.Contains(got, []byte(secret)) {
			t.Fatalf("%q is left in %q", secret, got)
		}
	})
}
