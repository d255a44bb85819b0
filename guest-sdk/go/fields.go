package berth

import (
	"strconv"
	"time"
)

// Fields are a driver's parameters: one list from which the manifest's schema is made and by which
// the parameters are decoded, so that the two cannot differ.
type Fields []Field

// Field is one parameter. Make it with String, Int, Bool or Duration.
type Field struct {
	name        string
	typ         string
	description string
	required    bool
	secret      bool
	min, max    int64
	bounded     bool
	oneOf       []string
	set         func(jsonValue) string // what was expected instead, or ""
}

// String is a parameter that is decoded into *to. The value there before is the default.
func String(name string, to *string) Field {
	return Field{name: name, typ: "string", set: func(v jsonValue) string {
		if v.kind != jsonString {
			return "a string"
		}
		*to = v.text
		return ""
	}}
}

// Int is a whole number.
func Int(name string, to *int64) Field {
	return Field{name: name, typ: "integer", set: func(v jsonValue) string {
		n, err := strconv.ParseInt(v.text, 10, 64)
		if v.kind != jsonNumber || err != nil {
			return "a whole number"
		}
		*to = n
		return ""
	}}
}

// Bool is true or false.
func Bool(name string, to *bool) Field {
	return Field{name: name, typ: "boolean", set: func(v jsonValue) string {
		if v.kind != jsonBool {
			return "true or false"
		}
		*to = v.text == "true"
		return ""
	}}
}

// Duration is a string such as "1m30s".
func Duration(name string, to *time.Duration) Field {
	return Field{name: name, typ: "string", set: func(v jsonValue) string {
		d, err := time.ParseDuration(v.text)
		if v.kind != jsonString || err != nil || d < 0 {
			return `a duration such as "1m30s"`
		}
		*to = d
		return ""
	}}
}

// Describe sets the line that the schema says about the parameter.
func (f Field) Describe(text string) Field { f.description = text; return f }

// Required makes the parameter one that must be given.
func (f Field) Required() Field { f.required = true; return f }

// Secret makes the parameter one that is never printed.
func (f Field) Secret() Field { f.secret = true; return f }

// Range bounds a whole number, both ends included.
func (f Field) Range(min, max int64) Field {
	f.min, f.max, f.bounded = min, max, true
	return f
}

// OneOf lists the values a string may have.
func (f Field) OneOf(values ...string) Field { f.oneOf = values; return f }

// Decode decodes parameters, a JSON object, into what the fields point to. A parameter that is
// unknown, missing, of another type or out of range is KindInvalidArgument and named.
func (fs Fields) Decode(parameters []byte) error {
	seen := make([]bool, len(fs))
	err := readObject(parameters, func(name string, v jsonValue) error {
		for i := range fs {
			if fs[i].name == name {
				seen[i] = true
				return fs[i].decode(v)
			}
		}
		return NewError(KindInvalidArgument, "unknown parameter ", strconv.Quote(name), "; there are: ", fs.names())
	})
	if err != nil {
		return err
	}
	for i := range fs {
		if fs[i].required && !seen[i] {
			return NewError(KindInvalidArgument, "parameter ", strconv.Quote(fs[i].name), " is missing")
		}
	}
	return nil
}

func (f *Field) decode(v jsonValue) error {
	if want := f.set(v); want != "" {
		return f.invalid(want + ", not " + jsonKindNames[v.kind])
	}
	if f.bounded {
		if n, _ := strconv.ParseInt(v.text, 10, 64); n < f.min || n > f.max {
			return f.invalid(strconv.FormatInt(f.min, 10) + " to " + strconv.FormatInt(f.max, 10))
		}
	}
	if len(f.oneOf) == 0 {
		return nil
	}
	for _, allowed := range f.oneOf {
		if v.text == allowed {
			return nil
		}
	}
	return f.invalid("one of " + join(f.oneOf))
}

// invalid says what the parameter must be and never what it was: it may be a secret.
func (f *Field) invalid(want string) error {
	return NewError(KindInvalidArgument, "parameter ", strconv.Quote(f.name), " must be ", want)
}

func (fs Fields) names() string {
	names := make([]string, len(fs))
	for i := range fs {
		names[i] = fs[i].name
	}
	return join(names)
}

func join(list []string) string {
	s := ""
	for i, v := range list {
		if i > 0 {
			s += ", "
		}
		s += v
	}
	return s
}

// Schema returns the JSON Schema of the fields.
func (fs Fields) Schema() []byte {
	var w jsonWriter
	w.begin('{')
	w.member("type").str("object")
	w.member("additionalProperties").bool(false)
	w.member("properties").begin('{')
	var required []string
	for i := range fs {
		f := &fs[i]
		w.member(f.name)
		f.schema(&w)
		if f.required {
			required = append(required, f.name)
		}
	}
	w.end('}')
	if len(required) > 0 {
		w.member("required").strs(required)
	}
	w.end('}')
	return w.b
}

func (f *Field) schema(w *jsonWriter) {
	w.begin('{')
	w.member("type").str(f.typ)
	if f.description != "" {
		w.member("description").str(f.description)
	}
	if f.secret {
		w.member("writeOnly").bool(true)
	}
	if f.bounded {
		w.member("minimum").int(f.min)
		w.member("maximum").int(f.max)
	}
	if len(f.oneOf) > 0 {
		w.member("enum").strs(f.oneOf)
	}
	w.end('}')
}
