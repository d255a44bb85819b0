package trace

import (
	"bytes"
	"slices"
	"strings"
)

const (
	standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	forURLs  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// sextet returns what a character of either alphabet stands for.
func sextet(c byte) (v byte, ok bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A', true
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26, true
	case c >= '0' && c <= '9':
		return c - '0' + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}

// encoded is a secret in base64, at one of the three places at which it can stand in a group of three bytes. The
// characters at its ends hold bits of its neighbours as well.
type encoded struct {
	core     []byte // the characters that the secret alone decides
	alphabet string
	delta    []byte // what turns the sextets of the secret into those of the placeholder, from before the core to after it
	before   int    // how many of these are before the core
}

// encodings are the ways to find s in base64. Where the alphabets differ s and p have the same: see draw.
func encodings(s, p string) []encoded {
	var list []encoded
	for skip := range 3 {
		bits := sextets(s, skip)
		from, to := (8*skip+5)/6, 8*(skip+len(s))/6 // those that s decides
		first := 8 * skip / 6                       // those that it takes part in
		delta := sextets(p, skip)
		for i := range delta {
			delta[i] ^= bits[i]
		}
		for _, alphabet := range []string{standard, forURLs} {
			e := encoded{alphabet: alphabet, delta: delta[first:], before: from - first}
			for _, v := range bits[from:to] {
				e.core = append(e.core, alphabet[v])
			}
			if slices.ContainsFunc(list, func(old encoded) bool { return bytes.Equal(old.core, e.core) }) {
				continue // it needs none of the characters in which the alphabets differ
			}
			list = append(list, e)
			if alphabet == standard && bytes.ContainsAny(e.core, "+/") {
				for _, escape := range []*strings.Replacer{strings.NewReplacer("+", "%2B", "/", "%2F"), strings.NewReplacer("+", "%2b", "/", "%2f")} {
					escaped := e
					escaped.core = []byte(escape.Replace(string(e.core)))
					list = append(list, escaped)
				}
			}
		}
	}
	return list
}

// sextets cuts s, after skip bytes of zeros, into groups of six bits.
func sextets(s string, skip int) []byte {
	b := append(make([]byte, skip, skip+len(s)), s...)
	out := make([]byte, (8*len(b)+5)/6)
	for i := range out {
		at, shift := 6*i/8, 6*i%8
		pair := uint16(b[at]) << 8
		if at+1 < len(b) {
			pair |= uint16(b[at+1])
		}
		out[i] = byte(pair >> (10 - shift) & 0x3f)
	}
	return out
}

// find calls put with what takes the place of the secret wherever it is in b.
func (e *encoded) find(b []byte, put func(at int, to []byte)) {
	for at := 0; ; {
		i := bytes.Index(b[at:], e.core)
		if i < 0 {
			return
		}
		at += i
		from, k := at, e.before
		if from > 0 && e.before > 0 && isBase64(b[from-1]) { // a neighbour's bits as well
			from, k = from-1, 0
		}
		var text []byte
		for pos := from; pos < len(b) && k < len(e.delta); k++ {
			n := e.write(&text, b, pos, e.delta[k])
			if n == 0 {
				break
			}
			pos += n
		}
		put(from, text)
		at += len(e.core)
	}
}

// write appends what takes the place of the character at pos in b, and returns its length there: 1, 3 where it is escaped as in
// URLs, or 0 where there is none.
func (e *encoded) write(text *[]byte, b []byte, pos int, delta byte) int {
	c := b[pos]
	if c == '%' && pos+3 <= len(b) && delta == 0 {
		*text = append(*text, b[pos:pos+3]...)
		return 3
	}
	v, ok := sextet(c)
	if !ok {
		return 0
	}
	if delta != 0 {
		c = e.alphabetOf(b, pos)[v^delta]
	}
	*text = append(*text, c)
	return 1
}

// alphabetOf tells which alphabet the text around pos is written in, standard where it does not say.
func (e *encoded) alphabetOf(b []byte, pos int) string {
	from, to := pos, pos
	for from > 0 && isBase64(b[from-1]) && pos-from < 4096 {
		from--
	}
	for to < len(b) && isBase64(b[to]) && to-pos < 4096 {
		to++
	}
	if bytes.ContainsAny(b[from:to], "-_") && !bytes.ContainsAny(b[from:to], "+/") {
		return forURLs
	}
	return e.alphabet
}

func isBase64(c byte) bool { _, ok := sextet(c); return ok }
