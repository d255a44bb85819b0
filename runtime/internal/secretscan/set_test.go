package secretscan

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPlantedSecretsAreFound plants what encoders outside this package make of a secret.
func TestPlantedSecretsAreFound(t *testing.T) {
	for _, secret := range []string{"geheim!!", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", `p&ss"w<rd/ü '>\`, "\x00\xff\xfe\x80\x01\x02\x03\x04", strings.Repeat("long ", 1000)} {
		set := New([]string{"another secret", secret})
		planted := map[string]string{
			"raw": secret, "hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
			"query": url.Values{"k": {secret}}.Encode(), "path": (&url.URL{Path: "/" + secret + "/"}).EscapedPath(), "segment": url.PathEscape(secret),
			"lower": strings.ToLower(url.QueryEscape(strings.ToLower(secret))),
		}
		for before := range 4 {
			for after := range 4 {
				whole := []byte("abc"[:min(before, 3)] + secret + "xyz"[:min(after, 3)])
				where := string(rune('0'+before)) + string(rune('0'+after))
				planted["std"+where] = base64.StdEncoding.EncodeToString(whole)
				planted["query of std"+where] = url.QueryEscape(planted["std"+where])
				planted["json of std"+where] = strings.ReplaceAll(planted["std"+where], "/", `\/`)
				planted["rawstd"+where] = base64.RawStdEncoding.EncodeToString(whole)
				planted["url"+where] = base64.URLEncoding.EncodeToString(whole)
				planted["rawurl"+where] = base64.RawURLEncoding.EncodeToString(whole)
			}
		}
		for name, text := range planted {
			if name == "lower" && strings.ToLower(secret) != secret {
				continue // it is not this secret
			}
			memory := append(append(bytes.Repeat([]byte{0, 0xaa}, 5000), text...), bytes.Repeat([]byte("z"), 777)...)
			which, at, form := set.Find(memory)
			if which != 1 || at < 10000 || at > 10000+len(text) {
				t.Errorf("%.20q as %s (%.60q): found %d at %d as %q", secret, name, text, which, at, form)
			}
		}
	}
}

func TestMarkupIsFound(t *testing.T) {
	set := New([]string{`p&ss"w<rd/5`})
	for _, text := range []string{`{"k":"p&ss\"w<rd/5"}`, `{"k":"p\u0026ss\"w\u003crd/5"}`, `"p&ss\"w<rd\/5"`, `<K>p&amp;ss"w&lt;rd/5</K>`, `<a k="p&amp;ss&quot;w&lt;rd/5">`, `p&amp;ss&#34;w&lt;rd/5`} {
		if !set.Shows([]byte(text)) {
			t.Errorf("%s is not found", text)
		}
	}
	if set.ShowsFolded("X-Something-Else") || !New([]string{"Some-Token"}).ShowsFolded("X-some-tOKEN-1") || New([]string{"Some-Token"}).Shows([]byte("some-token")) {
		t.Error("folding is not as it should be")
	}
}

func TestShortSecretsAreLeftOut(t *testing.T) {
	if s := New([]string{"", "seven77"}); s != nil {
		t.Errorf("got %d patterns", len(s.patterns))
	}
	var none *Set
	if which, _, _ := none.Find([]byte("seven77")); which != -1 || none.Shows([]byte("seven77")) || none.ShowsFolded("seven77") {
		t.Error("no set finds something")
	}
	for _, f := range Forms("eighteig") {
		if len(f.Text) < MinSecret {
			t.Errorf("%s %q is shorter than a secret may be", f.Name, f.Text)
		}
	}
}

// shows is Shows by definition.
func shows(secrets []string, data []byte) bool {
	for _, s := range secrets {
		for _, f := range Forms(s) {
			if bytes.Contains(data, []byte(f.Text)) {
				return true
			}
		}
	}
	return false
}

func checkSet(t interface {
	Fatalf(format string, args ...any)
}, secrets []string, data []byte) {
	set := New(secrets)
	which, at, form := set.Find(data)
	if want := shows(secrets, data); set.Shows(data) != want || (which >= 0) != want {
		t.Fatalf("%q in %q: %v, want %v", secrets, data, !want, want)
	}
	if which < 0 {
		return
	}
	for _, f := range Forms(secrets[which]) {
		if f.Name == form && bytes.HasPrefix(data[at:], []byte(f.Text)) {
			return
		}
	}
	t.Fatalf("%q in %q: it is not at %d as %s", secrets, data, at, form)
}

// TestFoundIsWhatIsThere compares it with its definition, on content of few letters in which secrets nearly appear.
func TestFoundIsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SampledFrom([]string{"ab", "ab/%", "a0B="}).Draw(t, "letters")
		secrets := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune(letters)), MinSecret, 400, -1), 1, 3).Draw(t, "secrets")
		pieces := rapid.SliceOfN(rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune(letters)), 0, 20, -1), rapid.Custom(func(t *rapid.T) string {
			forms := Forms(rapid.SampledFrom(secrets).Draw(t, "secret"))
			f := forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")].Text
			if rapid.Bool().Draw(t, "whole") {
				return f
			}
			return f[:rapid.IntRange(0, len(f)).Draw(t, "cut")]
		})), 0, 5).Draw(t, "pieces")
		checkSet(t, secrets, []byte(strings.Join(pieces, "")))
	})
}

func FuzzSet(f *testing.F) {
	f.Add("secret-token", []byte("the secret-tok"))
	f.Add("aaaaaaab", []byte("aaaaaaaaaaaaab"))
	f.Fuzz(func(t *testing.T, secret string, data []byte) {
		if len(secret) >= MinSecret && len(secret) < 600 {
			checkSet(t, []string{secret}, data)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	data := make([]byte, 128<<10)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	for _, n := range []int{8, 12, 20, 40, 1000} {
		secret := make([]byte, n)
		_, _ = random.Read(secret)
		set := New([]string{base64.RawURLEncoding.EncodeToString(secret)[:n]})
		b.Run(fmt.Sprintf("%d bytes", n), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if set.Shows(data) {
					b.Fatal("found")
				}
			}
		})
	}
}
