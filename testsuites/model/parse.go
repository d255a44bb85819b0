package model

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The limits of a script: what keeps a file that is none from being held in memory or worked at for days.
const (
	// MaxScript is the most bytes of a script's text: some 30,000 operations, of which a shrunk script
	// has a dozen.
	MaxScript = 1 << 20
	// MaxSize is the most bytes of one put or write, and the highest offset.
	MaxSize = 1 << 40
	// MaxPartSize is the largest part-size: buffers of this size are held in memory.
	MaxPartSize = 128 << 20
)

// Parse reads a script: an operation a line, words separated by blanks, "#" before a comment. A word may
// be quoted as in Go. Errors are a [*SyntaxError].
func Parse(text string) (Script, error) {
	if len(text) > MaxScript {
		return nil, &SyntaxError{1, fmt.Sprintf("the script has %d bytes; at most %d are allowed", len(text), MaxScript)}
	}
	var s Script
	names := map[string]Kind{}
	for i, line := range strings.Split(text, "\n") {
		op, some, err := parseLine(line, i+1)
		if err == nil && some {
			err = named(op, names)
		}
		if err == nil && some {
			err = placed(op, s)
		}
		if err != nil {
			return nil, &SyntaxError{i + 1, err.Error()}
		}
		if some {
			s = append(s, op)
		}
	}
	if len(s) > 0 && s[len(s)-1].Kind == CrashIn {
		return nil, &SyntaxError{s[len(s)-1].Line, fmt.Sprintf("%s is about the operation after it, and there is none", CrashIn)}
	}
	return s, nil
}

// placed checks that an operation may follow those before it.
func placed(op Op, before Script) error {
	switch {
	case op.Kind == PartSize && len(before) > 0:
		return fmt.Errorf("%s is allowed before all operations only", op.Kind)
	case op.Kind == PartSize && (op.Size < 1 || op.Size > MaxPartSize):
		return fmt.Errorf("%s %d: a number from 1 to %d", op.Kind, op.Size, MaxPartSize)
	case op.Kind == CrashIn && op.Size < 1:
		return fmt.Errorf("%s %d: calls are counted from 1", op.Kind, op.Size)
	case len(before) > 0 && before[len(before)-1].Kind == CrashIn && !slices.Contains(crashable, op.Kind):
		return fmt.Errorf("%s cannot follow %s, which is about one of %s", op.Kind, CrashIn, list(crashable))
	}
	return nil
}

// crashable are the operations that a process can be killed in.
var crashable = []Kind{Put, Delete, Move, Writer, Write, Commit, Cancel, Interrupt, Close, Walk, List}

// named checks that an operation uses a name that was opened, as what it was opened as.
func named(op Op, names map[string]Kind) error {
	if op.Name == "" {
		return nil
	}
	if op.Kind == Writer || op.Kind == Reader {
		if was, taken := names[op.Name]; taken && was != op.Kind {
			return fmt.Errorf("%s is a %s already; give the %s another name", quote(op.Name), was, op.Kind)
		}
		names[op.Name] = op.Kind
		return nil
	}
	was, opened := names[op.Name]
	want := Writer
	if op.Kind == Next {
		want = Reader
	}
	switch {
	case !opened:
		return fmt.Errorf("there is no %s yet; %s opens it", quote(op.Name), forms[want].usage(want))
	case was != want && op.Kind != Close:
		return fmt.Errorf("%s is a %s; %s is for a %s", quote(op.Name), was, op.Kind, want)
	}
	return nil
}

// parseLine reads the line with the number, which is the seed where none is given. The second result is false when
// there is nothing on it.
func parseLine(line string, number int) (Op, bool, error) {
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return Op{}, false, err
	}
	op := Op{Kind: Kind(words[0].text), Line: number}
	f, known := forms[op.Kind]
	if !known || words[0].quoted {
		return op, false, fmt.Errorf("%s is no operation; there are %s", quote(words[0].text), kindList())
	}
	words = words[1:]
	if len(words) < len(f.fields) {
		return op, false, fmt.Errorf("%s is missing: %s", strings.ToUpper(f.fields[len(words)]), f.usage(op.Kind))
	}
	for i, name := range f.fields {
		if err := op.set(name, words[i].text); err != nil {
			return op, false, err
		}
	}
	given := map[string]bool{}
	for _, w := range words[len(f.fields):] {
		name, value, assigned := strings.Cut(w.text, "=")
		switch {
		case w.quoted || !slices.Contains(f.options, name) || assigned == (name == "append"):
			return op, false, fmt.Errorf("%s is not allowed here: %s", quote(w.text), f.usage(op.Kind))
		case given[name]:
			return op, false, fmt.Errorf("%s is given twice", name)
		}
		given[name] = true
		if err := op.set(name, value); err != nil {
			return op, false, err
		}
	}
	if slices.Contains(f.options, "seed") && !given["seed"] {
		op.Seed = uint64(number)
	}
	return op, true, nil
}

func kindList() string { return list(Kinds()) }

func list(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// set gives a field or option its value.
func (o *Op) set(name, value string) error {
	var err error
	switch v := o.field(name).(type) {
	case *string:
		*v = value
		if value == "" {
			err = fmt.Errorf("%s is empty", strings.ToUpper(name))
		}
	case *bool:
		*v = true
	case *uint64:
		if *v, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = fmt.Errorf("%s=%s: a number from 0 to %d", name, quote(value), uint64(math.MaxUint64))
		}
	case *int64:
		least := int64(0)
		if name == "offset" {
			least = -MaxSize
		}
		if *v, err = strconv.ParseInt(value, 10, 64); err != nil || *v < least || *v > MaxSize {
			err = fmt.Errorf("%s %s: a number from %d to %d", strings.ToUpper(name), quote(value), least, int64(MaxSize))
		}
	}
	return err
}

type oneWord struct {
	text   string
	quoted bool // as a whole, so that it is no option
}

// split returns the words of a line, without its comment.
func split(line string) ([]oneWord, error) {
	var words []oneWord
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || line[0] == '#' {
			return words, nil
		}
		w, rest, err := firstWord(line)
		if err != nil {
			return nil, err
		}
		words, line = append(words, w), rest
	}
}

// firstWord takes a word: plain, quoted, or an option whose value is quoted.
func firstWord(line string) (oneWord, string, error) {
	end := strings.IndexAny(line, " \t\r#\"")
	if end < 0 {
		return oneWord{text: line}, "", nil
	}
	if line[end] != '"' {
		return oneWord{text: line[:end]}, line[end:], nil
	}
	if end > 0 && line[end-1] != '=' {
		return oneWord{}, "", fmt.Errorf("a quoted word begins in the middle of one: %s", quote(line))
	}
	quoted, err := strconv.QuotedPrefix(line[end:])
	if err != nil {
		return oneWord{}, "", fmt.Errorf("a quoted word does not end: %s", quote(line[end:]))
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return oneWord{}, "", fmt.Errorf("%s is not quoted as in Go", quoted)
	}
	rest := line[end+len(quoted):]
	if rest != "" && !strings.ContainsRune(" \t\r#", rune(rest[0])) {
		return oneWord{}, "", fmt.Errorf("something follows the quoted word %s without a blank", quoted)
	}
	return oneWord{line[:end] + text, end == 0}, rest, nil
}

// ParseOp reads one line, which holds an operation. That a name was opened is not checked.
func ParseOp(line string) (Op, error) {
	op, some, err := parseLine(line, 1)
	if err == nil && !some {
		err = fmt.Errorf("there is no operation; there are %s", kindList())
	}
	if err != nil {
		return Op{}, &SyntaxError{1, err.Error()}
	}
	return op, nil
}
