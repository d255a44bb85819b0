package trace

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shortest is the length from which on a text is worth hiding: shorter ones would be found everywhere.
const shortest = 4

// Redactor replaces secrets by placeholders of the same length and the same classes of characters, in all the
// forms in which they are told and said: as they are, as JSON, Go and URLs write them, in hexadecimal, and in
// base64 wherever they stand in what was encoded. The form of a secret becomes the same form of its placeholder,
// so that what computes the form of one computes that of the other. It may be used concurrently.
type Redactor struct {
	secrets []secret
	pairs   []pair // the longest first
	encoded []encoded
	longest int
}

type secret struct{ text, placeholder string }

// pair is one form of a secret and of its placeholder.
type pair struct {
	from, to []byte
	plain    bool // whose ends are replaced as well, where bytes were cut in the middle of it
}

// span is a range that was replaced.
type span struct{ from, to int }

// NewRedactor makes placeholders for secrets. Those of less than 4 bytes are left alone.
func NewRedactor(secrets []string) *Redactor { return newRedactor(secrets, map[string]string{}) }

// newRedactor is NewRedactor with the placeholders that secrets have already, to which it adds.
func newRedactor(secrets []string, known map[string]string) *Redactor {
	r := &Redactor{}
	for _, s := range slices.Compact(slices.Sorted(slices.Values(secrets))) {
		if len(s) < shortest {
			continue
		}
		p, ok := known[s]
		if !ok {
			p = placeholder(s)
			known[s] = p
		}
		r.add(s, p)
		if strings.Contains(s, "\n") {
			lines := strings.Split(p, "\n")
			for i, line := range strings.Split(s, "\n") {
				r.add(strings.TrimRight(line, "\r"), strings.TrimRight(lines[i], "\r"))
			}
		}
	}
	slices.SortStableFunc(r.pairs, func(a, b pair) int { return len(b.from) - len(a.from) })
	for _, p := range r.pairs {
		r.longest = max(r.longest, len(p.from))
	}
	for _, e := range r.encoded {
		r.longest = max(r.longest, len(e.core)+4)
	}
	return r
}

func (r *Redactor) add(s, p string) {
	if len(s) < shortest || s == p || slices.ContainsFunc(r.secrets, func(old secret) bool { return old.text == s }) {
		return
	}
	r.secrets = append(r.secrets, secret{s, p})
	from, to := forms(s), forms(p)
	for i := range from {
		if from[i] != to[i] && len(from[i]) == len(to[i]) && !slices.ContainsFunc(r.pairs, func(old pair) bool { return string(old.from) == from[i] }) {
			r.pairs = append(r.pairs, pair{[]byte(from[i]), []byte(to[i]), i < plainForms})
		}
	}
	r.encoded = append(r.encoded, encodings(s, p)...)
}

// plainForms is how many of forms keep the text readable.
const plainForms = 4

// forms are the spellings of a text, in an order of their own.
func forms(s string) []string {
	quoted := strconv.Quote(s)
	escaped, _ := json.Marshal(s) // a string always has a JSON form
	var inJSON bytes.Buffer
	e := json.NewEncoder(&inJSON)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	plain := bytes.TrimSuffix(inJSON.Bytes(), []byte("\n"))
	query, path := url.QueryEscape(s), url.PathEscape(s)
	lower := hex.EncodeToString([]byte(s))
	var every strings.Builder // what Java, and signing schemes, leave of it
	for _, c := range []byte(s) {
		if classOf(c) != other || strings.IndexByte("-_.~", c) >= 0 {
			every.WriteByte(c)
		} else {
			every.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	strict := every.String()
	return []string{
		s, string(escaped[1 : len(escaped)-1]), string(plain[1 : len(plain)-1]), quoted[1 : len(quoted)-1],
		query, path, strict, lowerEscapes(query), lowerEscapes(path), lowerEscapes(strict),
		lower, strings.ToUpper(lower),
	}
}

// lowerEscapes writes the digits of escapes in lower case.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

// class is what a character of a placeholder has in common with the secret's.
type class int

const (
	other class = iota
	digit
	lowerHex
	lowerRest
	upperHex
	upperRest
)

// alphabets are the characters that take the place of another of their class. There is no 0, which would make a
// number another kind of number at its beginning.
var alphabets = map[class]string{digit: "123456789", lowerHex: "abcdef", lowerRest: "ghijklmnopqrstuvwxyz", upperHex: "ABCDEF", upperRest: "GHIJKLMNOPQRSTUVWXYZ"}

func classOf(c byte) class {
	switch {
	case c >= '0' && c <= '9':
		return digit
	case c >= 'a' && c <= 'f':
		return lowerHex
	case c >= 'g' && c <= 'z':
		return lowerRest
	case c >= 'A' && c <= 'F':
		return upperHex
	case c >= 'G' && c <= 'Z':
		return upperRest
	}
	return other
}

// marks take each other's place in secrets that have few letters and digits. In each group all forms escape
// them alike, or leave them alone.
var marks = []string{"-_.", "!*'()", "#[]|^"}

// placeholder draws a text that differs from s in all letters and digits, and in other characters where there are few of these. Both need
// the same characters of those in which the alphabets of base64 differ, which some escape: only what stands before a byte from 0xc0 on
// could be in the way of that, and what has its six last bits, or four, or two, set.
func placeholder(s string) string {
	b := []byte(s)
	replaced := 0
	for i, c := range b {
		letters := alphabets[classOf(c)]
		if i+1 < len(b) && b[i+1] >= 0xc0 {
			if c&0xf >= 0xe {
				continue
			}
			letters = strings.NewReplacer("n", "", "o", "", "N", "", "O", "").Replace(letters)
		}
		if letters != "" {
			b[i] = another(letters, c)
			replaced++
		}
	}
	if 2*replaced >= len(b) {
		return string(b)
	}
	for i, c := range b {
		for _, group := range marks {
			if strings.IndexByte(group, c) >= 0 {
				b[i] = another(group, c)
			}
		}
		if last := i+1 == len(b) || b[i+1] < 0x80; last && c >= 0x80 && c < 0xbc { // the last byte of a rune
			b[i] = 0x80 | (c&0x3f+1+number(59))%60
		}
	}
	return string(b)
}

// another returns a character of letters that is not c.
func another(letters string, c byte) byte {
	rest := strings.ReplaceAll(letters, string(c), "")
	return rest[number(byte(len(rest)))]
}

// number draws one below n.
func number(n byte) byte {
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails
	return byte((int(b[0])<<8 | int(b[1])) % int(n))
}

// Placeholders are what stands for the secrets. hidden says of a secret what Placeholder.Hidden does.
func (r *Redactor) Placeholders(hidden func(secret string) bool) []Placeholder {
	list := make([]Placeholder, len(r.secrets))
	for i, s := range r.secrets {
		list[i] = Placeholder{s.placeholder, hidden(s.text)}
	}
	return list
}

// Text is Bytes for a text, in which what is not UTF-8 becomes question marks.
func (r *Redactor) Text(s string) string {
	return strings.ToValidUTF8(string(r.Bytes([]byte(s))), "?")
}

// Bytes returns b without secrets: a copy, or b itself when it has none.
func (r *Redactor) Bytes(b []byte) []byte {
	out, _ := r.replace(b)
	return out
}

// replace is Bytes, and where it replaced something.
func (r *Redactor) replace(b []byte) ([]byte, []span) {
	if r == nil || len(r.secrets) == 0 || len(b) < shortest {
		return b, nil
	}
	out, spans := b, []span(nil)
	put := func(at int, to []byte) {
		s := span{at, at + len(to)}
		if slices.ContainsFunc(spans, func(t span) bool { return s.from < t.to && t.from < s.to }) {
			return
		}
		if len(spans) == 0 {
			out = bytes.Clone(b)
		}
		copy(out[at:], to)
		spans = append(spans, s)
	}
	for _, p := range r.pairs {
		for at := 0; ; {
			i := bytes.Index(b[at:], p.from)
			if i < 0 {
				break
			}
			put(at+i, p.to)
			at += i + len(p.from)
		}
	}
	for _, e := range r.encoded {
		e.find(b, put)
	}
	for _, p := range r.pairs {
		if p.plain {
			p.ends(b, put)
		}
	}
	return out, spans
}

// ends replaces the beginning of a secret at the end of b, and the end of one at its beginning: bytes are
// told and said in pieces.
func (p pair) ends(b []byte, put func(at int, to []byte)) {
	for n := min(len(p.from)-1, len(b)); n >= shortest; n-- {
		if bytes.HasSuffix(b, p.from[:n]) {
			put(len(b)-n, p.to[:n])
			break
		}
	}
	for n := min(len(p.from)-1, len(b)); n >= shortest; n-- {
		if bytes.HasPrefix(b, p.from[len(p.from)-n:]) {
			put(0, p.to[len(p.to)-n:])
			break
		}
	}
}

// Range is Bytes for what is between from and to in b, and for what is replaced across these bounds; at is where
// that begins.
func (r *Redactor) Range(b []byte, from, to int) (out []byte, at int) {
	if r == nil || len(r.secrets) == 0 {
		return b[from:to], from
	}
	begin, end := max(0, from-r.longest), min(len(b), to+r.longest)
	out, spans := r.replace(b[begin:end])
	from, to = from-begin, to-begin
	for grown := true; grown; {
		grown = false
		for _, s := range spans {
			if s.from < to && from < s.to && (s.from < from || s.to > to) {
				from, to, grown = min(from, s.from), max(to, s.to), true
			}
		}
	}
	return out[from:to], begin + from
}
