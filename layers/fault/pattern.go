package fault

import (
	"path"
	"strings"
)

// matches reports whether any of the paths matches the pattern.
func matches(pattern string, paths []string) bool {
	if pattern == "" {
		return true
	}
	for _, p := range paths {
		if match(components(pattern), components(p)) {
			return true
		}
	}
	return false
}

// components returns the components of a path; "/" has none.
func components(p string) []string {
	if p = strings.TrimPrefix(p, "/"); p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// match is quadratic at most: of several ** only the last needs to be tried again.
func match(pattern, names []string) bool {
	resume, from := -1, 0 // the pattern after the last **, and the names it was tried on
	p, n := 0, 0
	for n < len(names) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			p++
			resume, from = p, n
		case p < len(pattern) && one(pattern[p], names[n]):
			p++
			n++
		case resume >= 0:
			from++
			p, n = resume, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

func one(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil // Parse has refused what is malformed
}

// validPattern reports whether a pattern is absolute and each component is one for path.Match.
func validPattern(pattern string) bool {
	if !strings.HasPrefix(pattern, "/") {
		return false
	}
	for _, c := range components(pattern) {
		if _, err := path.Match(c, ""); c == "" || err != nil {
			return false
		}
	}
	return true
}
