package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Source is the file's name or the name of a variable of the environment.
	Source string `json:"source"`
	// Line is the line of a file from 1, or 0 where there is none.
	Line int `json:"line,omitempty"`
	// Path is the key, such as "http.tls.certificate" or "notifications.endpoints[0].url"; it is
	// empty for what concerns the whole file.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and what to do. It never holds a value that may be secret.
	Message string `json:"message"`
	// Warning says that the configuration works all the same.
	Warning bool `json:"warning,omitempty"`
}

// String is one line: "config.yml:12: http.adr is unknown; did you mean addr?".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + " ")
	}
	b.WriteString(p.Message)
	return strings.Join(strings.Fields(b.String()), " ")
}

// sortProblems puts the file's first, by line, then those of variables, by name.
func sortProblems(all []Problem, file string) {
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a, file), rank(b, file)),
			cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path),
		)
	})
}

func rank(p Problem, file string) int {
	if p.Source == file {
		return 0
	}
	return 1
}

// invalid is a configuration with problems, on one line.
type invalid string

func (e invalid) Error() string { return string(e) }

// Is makes it an error of KindInvalidArgument.
func (e invalid) Is(target error) bool { return target == fs.ErrInvalid }

// errorOf is one line for all problems that are no warnings, or nil. It is KindInvalidArgument.
func errorOf(all []Problem) error {
	var first string
	n := 0
	for _, p := range all {
		if p.Warning {
			continue
		}
		if n++; n == 1 {
			first = p.String()
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return invalid(first)
	}
	return invalid(fmt.Sprintf("%s (and %d more: 'berth config validate' lists them)", first, n-1))
}
