package secretscan

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MinSecret is the fewest bytes of a secret that is looked for. Shorter ones are in ordinary content by chance, and soon
// guessed.
const MinSecret = 8

// Form is one way to write a secret.
type Form struct {
	// Name says which: raw, base64 (also escaped for a URL or JSON), base64url, hex, percent, json, xml.
	Name string
	// Text is all that the secret alone decides: of base64 the characters that have bits of what is before or after the
	// secret are left out, and so is the padding.
	Text string
}

// Forms returns the forms of a secret, each text once.
func Forms(secret string) []Form {
	var list []Form
	add := func(name, text string) {
		for _, f := range list {
			if f.Text == text {
				return
			}
		}
		list = append(list, Form{name, text})
	}
	add("raw", secret)
	for before := range 3 {
		text := base64Core(base64.RawStdEncoding, secret, before)
		add("base64", text)
		add("base64", url.QueryEscape(text))
		add("base64", lowerPercent(url.QueryEscape(text)))
		add("base64", strings.ReplaceAll(text, "/", `\/`))
		add("base64url", base64Core(base64.RawURLEncoding, secret, before))
	}
	add("hex", hex.EncodeToString([]byte(secret)))
	add("hex", strings.ToUpper(hex.EncodeToString([]byte(secret))))
	query := url.QueryEscape(secret)
	strict := strings.ReplaceAll(query, "+", "%20")
	component := strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(strict) // JavaScript's
	path := (&url.URL{Path: secret}).EscapedPath()
	for _, text := range []string{query, strict, component, url.PathEscape(secret), path, everyByte(secret)} {
		add("percent", text)
		add("percent", lowerPercent(text))
	}
	if utf8.ValidString(secret) {
		addMarkup(add, secret)
	}
	return list
}

// base64Core encodes secret after so many other bytes, and leaves out the characters that those have a part in.
func base64Core(enc *base64.Encoding, secret string, before int) string {
	text := enc.EncodeToString(append(make([]byte, before, before+len(secret)), secret...))
	return text[(before*8+5)/6 : (before+len(secret))*8/6]
}

func everyByte(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// lowerPercent writes the digits after each "%" in lower case.
func lowerPercent(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(s[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

// addMarkup adds the secret as strings of JSON and text of XML and HTML have it.
func addMarkup(add func(name, text string), secret string) {
	b, _ := json.Marshal(secret) // a string always has a JSON form
	text := string(b[1 : len(b)-1])
	add("json", text)
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
	add("json", plain)
	add("json", strings.ReplaceAll(plain, "/", `\/`))
	var x strings.Builder
	_ = xml.EscapeText(&x, []byte(secret)) // a Builder takes all
	add("xml", x.String())
	named := strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;")
	add("xml", named.Replace(x.String()))
	add("xml", html.EscapeString(secret))
	add("xml", strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(secret))
}
