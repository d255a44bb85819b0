package guest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip cuts s to n bytes at a rune.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n-3]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && len(s) > 0 {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// Secrets takes the values of secret parameters out of texts. The zero value hides nothing.
type Secrets struct {
	list     []string
	replacer *strings.Replacer
}

// NewSecrets hides the texts of the list. The longest come first: one that another begins with must not leave the other's
// end.
func NewSecrets(list []string) Secrets {
	if len(list) == 0 {
		return Secrets{}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(list))
	for _, s := range list {
		pairs = append(pairs, s, "(secret)")
	}
	return Secrets{list, strings.NewReplacer(pairs...)}
}

// With hides these texts too, whole, by the line, and as JSON, Go and URLs write them. Very short ones are left.
func (h Secrets) With(texts ...string) Secrets {
	list := slices.Clone(h.list)
	for _, s := range texts {
		list = appendSecrets(list, s)
	}
	return NewSecrets(list)
}

// Trim returns s, which was cut, without what may be the beginning of a secret at its end.
func (h Secrets) Trim(s string) string { return h.trim(s, 1) }

// likely is from how many bytes on the beginning of a secret at a text's end is taken for one that its driver has cut.
const likely = 8

func (h Secrets) trim(s string, least int) string {
	end := len(s)
	for _, secret := range h.list {
		for n := min(len(secret)-1, len(s)); n >= least; n-- {
			if strings.HasSuffix(s, secret[:n]) {
				end = min(end, len(s)-n)
				break
			}
		}
	}
	return s[:end]
}

// Hide returns s without them.
func (h Secrets) Hide(s string) string {
	if h.replacer == nil {
		return s
	}
	return h.replacer.Replace(s)
}

// Clean makes one printable line of at most n bytes of a guest's text.
func (h Secrets) Clean(s string, n int) string {
	s = Clip(h.trim(h.Hide(s), likely), 4*n) // in this order: half a secret is not found
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) >= 0 {
		q := strconv.Quote(s)
		s = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	}
	return Clip(s, n)
}

// CleanLines is Clean for several lines.
func (h Secrets) CleanLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = h.Clean(strings.TrimRight(l, "\r"), n)
	}
	return Clip(strings.Join(lines, "\n"), n)
}
