package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Op is one operation of a script. Which fields count is said by its Kind.
type Op struct {
	Kind Kind
	// Line is where the operation stands in the text it was parsed from, counted from 1.
	Line int
	// Name is the writer or reader, which the operation opens or uses.
	Name string
	// Path is what the operation is about; To is where move moves it.
	Path, To string
	// Size is how many bytes are put, written or read, or the offset that is read from, or the call that a
	// crash comes at.
	Size int64
	// Seed decides the bytes.
	Seed uint64
	// Append opens the writer with append.
	Append bool
	// After, Skip, Stop and Fail are paths: where a walk begins, and where its function answers
	// ErrSkipDir, ErrFilledBuffer, and an error of its own.
	After, Skip, Stop, Fail string
}

// Kind is an operation's name.
type Kind string

// The operations.
const (
	PartSize  Kind = "part-size" // SIZE: of the parts of uploads, in bytes; only as the first
	Put       Kind = "put"       // PATH SIZE [seed=N]: PutContent
	Get       Kind = "get"       // PATH: GetContent
	Read      Kind = "read"      // PATH OFFSET: Reader, read to the end
	Stat      Kind = "stat"      // PATH
	List      Kind = "list"      // PATH
	Walk      Kind = "walk"      // PATH [after=PATH] [skip=PATH] [stop=PATH] [fail=PATH]
	Move      Kind = "move"      // PATH TO
	Delete    Kind = "delete"    // PATH
	Writer    Kind = "writer"    // NAME PATH [append]
	Write     Kind = "write"     // NAME SIZE [seed=N]
	Commit    Kind = "commit"    // NAME
	Cancel    Kind = "cancel"    // NAME
	Interrupt Kind = "interrupt" // NAME: the context of a writer ends
	Reader    Kind = "reader"    // NAME PATH OFFSET: stays open
	Next      Kind = "next"      // NAME SIZE: reads on
	Close     Kind = "close"     // NAME: of a writer or reader
	CrashIn   Kind = "crash-in"  // CALL: a crash in the operation on the next line, at that call to the backend, from 1
	Crash     Kind = "crash"     // the process ends as it is, and another opens the driver
	Reopen    Kind = "reopen"    // all is closed, and opened again
	Check     Kind = "check"     // everything that can be seen is looked at
)

// form is how an operation is written: what must follow its name, and what may.
type form struct {
	fields  []string // "name", "path", "to", "size", "offset", "call"
	options []string // "seed", "after", "skip", "stop", "fail", "append"
}

var forms = map[Kind]form{
	PartSize: {fields: []string{"size"}},
	Put:      {fields: []string{"path", "size"}, options: []string{"seed"}}, Get: {fields: []string{"path"}},
	Read: {fields: []string{"path", "offset"}}, Stat: {fields: []string{"path"}}, List: {fields: []string{"path"}},
	Walk: {fields: []string{"path"}, options: []string{"after", "skip", "stop", "fail"}},
	Move: {fields: []string{"path", "to"}}, Delete: {fields: []string{"path"}},
	Writer: {fields: []string{"name", "path"}, options: []string{"append"}},
	Write:  {fields: []string{"name", "size"}, options: []string{"seed"}},
	Commit: {fields: []string{"name"}}, Cancel: {fields: []string{"name"}}, Interrupt: {fields: []string{"name"}},
	Reader: {fields: []string{"name", "path", "offset"}}, Next: {fields: []string{"name", "size"}}, Close: {fields: []string{"name"}},
	CrashIn: {fields: []string{"call"}}, Crash: {}, Reopen: {}, Check: {},
}

// Kinds returns every operation's name, sorted.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(forms))
	for k := range forms {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

// usage is how the operation is written.
func (f form) usage(k Kind) string {
	var b strings.Builder
	b.WriteString(string(k))
	for _, name := range f.fields {
		b.WriteString(" " + strings.ToUpper(name))
	}
	for _, name := range f.options {
		switch name {
		case "append":
			b.WriteString(" [append]")
		case "seed":
			b.WriteString(" [seed=N]")
		default:
			b.WriteString(" [" + name + "=PATH]")
		}
	}
	return b.String()
}

// field returns where the op keeps the field or option called name: a *string, *int64, *uint64 or *bool.
func (o *Op) field(name string) any {
	switch name {
	case "name":
		return &o.Name
	case "path":
		return &o.Path
	case "to":
		return &o.To
	case "size", "offset", "call":
		return &o.Size
	case "seed":
		return &o.Seed
	case "append":
		return &o.Append
	case "after":
		return &o.After
	case "skip":
		return &o.Skip
	case "stop":
		return &o.Stop
	}
	return &o.Fail
}

// String is the operation's line.
func (o Op) String() string {
	f := forms[o.Kind]
	words := []string{string(o.Kind)}
	for _, name := range f.fields {
		switch v := o.field(name).(type) {
		case *string:
			words = append(words, quote(*v))
		case *int64:
			words = append(words, strconv.FormatInt(*v, 10))
		}
	}
	for _, name := range f.options {
		switch v := o.field(name).(type) {
		case *string:
			if *v != "" {
				words = append(words, name+"="+quote(*v))
			}
		case *uint64:
			words = append(words, name+"="+strconv.FormatUint(*v, 10))
		case *bool:
			if *v {
				words = append(words, name)
			}
		}
	}
	return strings.Join(words, " ")
}

// quote returns s as a word of a line.
func quote(s string) string {
	plain := s != "" && s[0] != '"' && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '#' || r >= 0x7f })
	if plain {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// Script is a list of operations.
type Script []Op

// PartSize returns the size of parts that the script begins with, or 0 when it leaves that to the harness.
func (s Script) PartSize() int64 {
	if len(s) > 0 && s[0].Kind == PartSize {
		return s[0].Size
	}
	return 0
}

// String is the script as text, which Parse reads back.
func (s Script) String() string {
	var b strings.Builder
	for _, o := range s {
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// SyntaxError says where a text is no script, and what is allowed there.
type SyntaxError struct {
	Line int
	Text string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }
