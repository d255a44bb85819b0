package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// listing prints results as they come: lines, or the elements of one array in a JSON object, which is valid once end was called.
type listing struct {
	w    io.Writer
	json bool
	key  string
	n    int
	err  error // of the writer, once
}

// begin begins a listing, whose array in JSON is at key.
func begin(w io.Writer, f format, key string) *listing {
	return &listing{w: w, json: f == formatJSON, key: key}
}

// add prints one result: v in JSON, and otherwise text, if it is not "", as a line.
func (l *listing) add(v any, text string) error {
	switch {
	case l.err != nil:
	case !l.json:
		if text != "" {
			_, l.err = fmt.Fprintln(l.w, text)
		}
	default:
		var one []byte
		if one, l.err = json.Marshal(v); l.err == nil {
			l.head()
			_, l.err = fmt.Fprintf(l.w, "\n    %s", one)
		}
	}
	l.n++
	return l.err
}

// head prints what comes before an element.
func (l *listing) head() {
	if l.n == 0 {
		_, l.err = fmt.Fprintf(l.w, "{\n  %q: [", l.key)
		return
	}
	_, l.err = fmt.Fprint(l.w, ",")
}

// end ends it: in JSON with the fields of the struct v, and otherwise with text, if it is not "", as a line.
func (l *listing) end(v any, text string) error {
	if l.err != nil || !l.json {
		if l.err == nil && text != "" {
			_, l.err = fmt.Fprintln(l.w, text)
		}
		return l.err
	}
	rest, err := json.Marshal(v)
	if err != nil {
		return err
	}
	closing := "\n  ]"
	if l.n == 0 {
		l.head()
		closing = "]"
	}
	if len(rest) > 2 {
		closing += ",\n  " + string(rest[1:len(rest)-1])
	}
	_, l.err = fmt.Fprint(l.w, closing+"\n}\n")
	return l.err
}
