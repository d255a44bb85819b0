package berth

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWriter writes JSON of objects and arrays of strings. Commas are its own affair.
type jsonWriter struct {
	b     []byte
	comma bool
}

func (w *jsonWriter) begin(c byte) *jsonWriter {
	w.b = append(w.b, c)
	w.comma = false
	return w
}

func (w *jsonWriter) end(c byte) {
	w.b = append(w.b, c)
	w.comma = true
}

func (w *jsonWriter) member(name string) *jsonWriter {
	w.item()
	w.b = appendJSONString(w.b, name)
	w.b = append(w.b, ':')
	return w
}

func (w *jsonWriter) item() *jsonWriter {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
	return w
}

func (w *jsonWriter) str(s string) { w.b = appendJSONString(w.b, s) }
func (w *jsonWriter) int(n int64)  { w.b = strconv.AppendInt(w.b, n, 10) }
func (w *jsonWriter) bool(v bool)  { w.b = strconv.AppendBool(w.b, v) }
func (w *jsonWriter) raw(b []byte) { w.b = append(w.b, b...) }
func (w *jsonWriter) strs(s []string) {
	w.begin('[')
	for _, v := range s {
		w.item().str(v)
	}
	w.end(']')
}

func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// jsonKind is what a scalar of a JSON document is.
type jsonKind byte

const (
	jsonString jsonKind = iota
	jsonNumber
	jsonBool
	jsonNull
	jsonNested // an object or an array
)

var jsonKindNames = [...]string{"a string", "a number", "true or false", "null", "an object or array"}

// jsonValue is a member's value: text is a string's content, a number's digits,
// "true" or "false", or the raw text of what is nested.
type jsonValue struct {
	kind jsonKind
	text string
}

var errJSON = NewError(KindInvalidArgument, "the parameters are not a JSON object")

// readObject calls member for each member of the JSON object in b, in order.
func readObject(b []byte, member func(name string, v jsonValue) error) error {
	r := jsonReader{b: b}
	if !r.take('{') {
		return errJSON
	}
	if r.take('}') {
		return r.atEnd()
	}
	for {
		name, ok := r.string()
		if !ok || !r.take(':') {
			return errJSON
		}
		v, ok := r.value()
		if !ok {
			return errJSON
		}
		if err := member(name, v); err != nil {
			return err
		}
		if r.take('}') {
			return r.atEnd()
		}
		if !r.take(',') {
			return errJSON
		}
	}
}

type jsonReader struct {
	b []byte
	i int
}

func (r *jsonReader) space() {
	for r.i < len(r.b) && (r.b[r.i] == ' ' || r.b[r.i] == '\n' || r.b[r.i] == '\t' || r.b[r.i] == '\r') {
		r.i++
	}
}

func (r *jsonReader) take(c byte) bool {
	r.space()
	if r.i < len(r.b) && r.b[r.i] == c {
		r.i++
		return true
	}
	return false
}

func (r *jsonReader) atEnd() error {
	r.space()
	if r.i != len(r.b) {
		return errJSON
	}
	return nil
}

func (r *jsonReader) value() (jsonValue, bool) {
	r.space()
	if r.i == len(r.b) {
		return jsonValue{}, false
	}
	switch c := r.b[r.i]; {
	case c == '"':
		s, ok := r.string()
		return jsonValue{jsonString, s}, ok
	case c == '{' || c == '[':
		s, ok := r.nested()
		return jsonValue{jsonNested, s}, ok
	}
	start := r.i
	for r.i < len(r.b) && isWordByte(r.b[r.i]) {
		r.i++
	}
	switch text := string(r.b[start:r.i]); text {
	case "true", "false":
		return jsonValue{jsonBool, text}, true
	case "null":
		return jsonValue{jsonNull, text}, true
	default:
		_, err := strconv.ParseFloat(text, 64)
		return jsonValue{jsonNumber, text}, err == nil && (text[0] == '-' || '0' <= text[0] && text[0] <= '9')
	}
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.'
}

// nested passes over an object or array: brackets are counted, strings are honoured.
func (r *jsonReader) nested() (string, bool) {
	start, depth := r.i, 0
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case '"':
			if _, ok := r.string(); !ok {
				return "", false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		r.i++
		if depth == 0 {
			return string(r.b[start:r.i]), true
		}
	}
	return "", false
}

func (r *jsonReader) string() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	start := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return string(r.b[start : r.i-1]), true
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", false
		}
		r.i++
	}
	return "", false
}

// escaped goes on with a string that has escapes.
func (r *jsonReader) escaped(start int) (string, bool) {
	out := append([]byte(nil), r.b[start:r.i]...)
	for r.i < len(r.b) {
		c := r.b[r.i]
		r.i++
		switch {
		case c == '"':
			return string(out), true
		case c < 0x20:
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if r.i == len(r.b) {
			return "", false
		}
		c = r.b[r.i]
		r.i++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			u, ok := r.hex4()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r.surrogates(u))
		default:
			return "", false
		}
	}
	return "", false
}

// surrogates joins u with the escape that follows when both make one rune.
func (r *jsonReader) surrogates(u rune) rune {
	if !utf16.IsSurrogate(u) {
		return u
	}
	back := r.i
	if r.i+1 < len(r.b) && r.b[r.i] == '\\' && r.b[r.i+1] == 'u' {
		r.i += 2
		if v, ok := r.hex4(); ok {
			if joined := utf16.DecodeRune(u, v); joined != utf8.RuneError {
				return joined
			}
		}
	}
	r.i = back
	return utf8.RuneError
}

func (r *jsonReader) hex4() (rune, bool) {
	if r.i+4 > len(r.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.b[r.i:r.i+4]), 16, 32)
	r.i += 4
	return rune(n), err == nil
}
