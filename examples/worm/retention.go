package worm

import (
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// retention says what is retained, and for how long.
type retention struct {
	period   time.Duration
	patterns []pattern
}

// at reports whether a file at path is retained after it was written.
func (r *retention) at(path string) bool {
	if private(path) {
		return false
	}
	names := split(path)
	for _, p := range r.patterns {
		if p.has(names) {
			return true
		}
	}
	return false
}

// below reports whether a file below path may be.
func (r *retention) below(path string) bool {
	if private(path) {
		return false
	}
	names := split(path)
	for _, p := range r.patterns {
		if p.reaches(names) {
			return true
		}
	}
	return false
}

// check returns why the file at path, one that is retained, may not be changed now, or nil. changed is when it was written.
func (r *retention) check(path string, changed, now time.Time) error {
	if changed.IsZero() {
		return berth.NewError(berth.KindPermission, path, " is retained: the store does not say when it was written")
	}
	until := changed.Add(r.period)
	if !now.Before(until) {
		return nil
	}
	// Whole seconds, and none too early.
	text := until.Add(time.Second - 1).UTC().Format(time.RFC3339)
	return berth.NewError(berth.KindPermission, path, " is retained until ", text)
}

// pattern is the names of a path, of which "*" stands for one and "**" for any number. It has every file that it leads to, and those below.
type pattern []string

// parsePattern reports whether text is a pattern.
func parsePattern(text string) (pattern, bool) {
	if !strings.HasPrefix(text, "/") || private(text) {
		return nil, false
	}
	if text == "/" {
		return nil, true
	}
	p := pattern(split(strings.TrimSuffix(text, "/")))
	for _, name := range p {
		if name == "" || name == "." || name == ".." || strings.Contains(name, "*") && name != "*" && name != "**" {
			return nil, false
		}
	}
	return p, true
}

// has reports whether the pattern leads to names, or to something above.
func (p pattern) has(names []string) bool {
	switch {
	case len(p) == 0:
		return true
	case p[0] == "**":
		return p[1:].has(names) || len(names) > 0 && p.has(names[1:])
	}
	return len(names) > 0 && p.first(names[0]) && p[1:].has(names[1:])
}

// reaches reports whether the pattern may lead to something below names.
func (p pattern) reaches(names []string) bool {
	if len(p) == 0 || len(names) == 0 || p[0] == "**" {
		return true
	}
	return p.first(names[0]) && p[1:].reaches(names[1:])
}

func (p pattern) first(name string) bool { return p[0] == "*" || p[0] == name }

// split returns the names of an absolute path.
func split(path string) []string {
	if path == "/" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// private reports whether a path is one of the host's, for what is unfinished.
func private(path string) bool { return strings.Contains(path, "~") }
