package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/berth-dev/storagedriver"
)

// Parameters are what a manifest's schema declares.
type Parameters struct {
	schema     *jsonschema.Schema
	properties map[string]property
	names      []string
	required   []string
}

// property is what is read of a parameter's schema, for coercion and for messages.
type property struct {
	Type        any          `json:"type"` // a string or an array of strings
	Enum        []any        `json:"enum"`
	Minimum     *json.Number `json:"minimum"`
	Maximum     *json.Number `json:"maximum"`
	MinLength   *int         `json:"minLength"`
	MaxLength   *int         `json:"maxLength"`
	Pattern     string       `json:"pattern"`
	Format      string       `json:"format"`
	WriteOnly   bool         `json:"writeOnly"`
	Description string       `json:"description"`
}

const schemaURL = "berth:parameters"

// noSchemas keeps a manifest from naming files or URLs to read.
type noSchemas struct{}

func (noSchemas) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %q: it must stand alone", url)
}

// NewParameters compiles a manifest's schema. None at all declares no parameters.
func NewParameters(raw json.RawMessage) (*Parameters, error) {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage(`{"type":"object","additionalProperties":false}`)
	}
	var shape struct {
		Type                 string              `json:"type"`
		AdditionalProperties any                 `json:"additionalProperties"`
		Properties           map[string]property `json:"properties"`
		Required             []string            `json:"required"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return nil, fmt.Errorf("the manifest's schema: %w", err)
	}
	if shape.Type != "object" || shape.AdditionalProperties != false {
		return nil, errors.New(`the manifest's schema must have "type": "object" and "additionalProperties": false`)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the manifest's schema: %w", err)
	}
	if key := reference(doc); key != "" {
		return nil, fmt.Errorf("the manifest's schema has a %q: write out what it refers to", key)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noSchemas{})
	c.AssertFormat()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("the manifest's schema: %w", err)
	}
	schema, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the manifest's schema: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	p := &Parameters{schema: schema, properties: shape.Properties, required: shape.Required}
	for name := range shape.Properties {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	return p, nil
}

// reference returns a keyword by which a schema refers to another, or "". A short schema
// of references to references can take for ever to validate.
func reference(schema any) string {
	switch v := schema.(type) {
	case map[string]any:
		for key, value := range v {
			_, isText := value.(string)
			if isText && (key == "$ref" || key == "$dynamicRef" || key == "$recursiveRef") {
				return key
			}
			if key := reference(value); key != "" {
				return key
			}
		}
	case []any:
		for _, value := range v {
			if key := reference(value); key != "" {
				return key
			}
		}
	}
	return ""
}

func badParameter(format string, args ...any) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, format, args...)
}

// Values are decoded parameters.
type Values struct {
	// JSON is an object with all of them, Public one without the secret ones.
	JSON, Public []byte
	// Secrets hides the secret ones, which must never be printed.
	Secrets Secrets
}

// Decode coerces and validates. No error holds a value.
func (p *Parameters) Decode(given map[string]any) (Values, error) {
	values, public := make(map[string]any, len(given)), make(map[string]any, len(given))
	var secrets []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		prop, known := p.properties[name]
		if !known {
			return Values{}, badParameter("unknown parameter %q; allowed: %s", name, p.allowed())
		}
		if given[name] == nil {
			continue // a key without a value, in YAML
		}
		v, ok := coerce(plain(given[name]), prop.types())
		if !ok {
			return Values{}, badParameter("parameter %q must be %s", name, prop.describe())
		}
		values[name] = v
		if prop.WriteOnly {
			secrets = appendSecrets(secrets, v)
		} else {
			public[name] = v
		}
	}
	for _, name := range p.required {
		if _, ok := values[name]; !ok {
			return Values{}, badParameter("parameter %q is missing: it must be %s", name, p.properties[name].describe())
		}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return Values{}, badParameter("the parameters have no JSON form")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return Values{}, badParameter("the parameters have no JSON form")
	}
	if err := p.schema.Validate(doc); err != nil {
		return Values{}, p.explain(err)
	}
	out := Values{JSON: raw, Secrets: NewSecrets(secrets)}
	out.Public, err = json.Marshal(public)
	return out, err
}

// DecodeWith is p.Decode. Without a p, of a driver that declares no schema, all values are taken as they are, and for secret.
func DecodeWith(p *Parameters, given map[string]any) (Values, error) {
	if p != nil {
		return p.Decode(given)
	}
	var secrets []string
	values := make(map[string]any, len(given))
	for name, v := range given {
		if v != nil {
			values[name] = plain(v)
			secrets = appendSecrets(secrets, values[name])
		}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return Values{}, badParameter("the parameters have no JSON form")
	}
	return Values{JSON: raw, Public: []byte("{}"), Secrets: NewSecrets(secrets)}, nil
}

// explain names the parameter that failed and what is allowed.
func (p *Parameters) explain(err error) error {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return badParameter("the parameters do not match the driver's schema")
	}
	for len(v.InstanceLocation) == 0 && len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	if len(v.InstanceLocation) == 0 {
		return badParameter("the parameters do not go together as the driver's schema demands; allowed: %s", p.allowed())
	}
	name := v.InstanceLocation[0]
	return badParameter("parameter %q must be %s", name, p.properties[name].describe())
}

// visible is for strings.Map.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return utf8.RuneError
}

// printable makes one line of a text of the manifest's.
func printable(s string) string {
	q := strconv.Quote(Clip(s, 512))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func (p *Parameters) allowed() string {
	if len(p.names) == 0 {
		return "none"
	}
	return printable(strings.Join(p.names, ", "))
}

func (p property) types() []string {
	switch t := p.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var list []string
		for _, v := range t {
			if s, ok := v.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// describe says what a parameter may be.
func (p property) describe() string {
	if len(p.Enum) > 0 {
		list := make([]string, len(p.Enum))
		for i, v := range p.Enum {
			b, _ := json.Marshal(v) // it came from JSON
			list[i] = string(b)
		}
		return "one of " + printable(strings.Join(list, ", "))
	}
	article := map[string]string{"integer": "an integer", "number": "a number", "boolean": "true or false", "string": "a string", "array": "a list", "object": "a map"}
	var names []string
	for _, t := range p.types() {
		if a, ok := article[t]; ok {
			names = append(names, a)
		}
	}
	text := strings.Join(names, " or ")
	if text == "" {
		text = "a value"
	}
	add := func(format string, args ...any) { text += fmt.Sprintf(format, args...) }
	switch {
	case p.Minimum != nil && p.Maximum != nil:
		add(" from %v to %v", *p.Minimum, *p.Maximum)
	case p.Minimum != nil:
		add(" of at least %v", *p.Minimum)
	case p.Maximum != nil:
		add(" of at most %v", *p.Maximum)
	}
	switch {
	case p.MinLength != nil && p.MaxLength != nil:
		add(" of %d to %d characters", *p.MinLength, *p.MaxLength)
	case p.MinLength != nil:
		add(" of at least %d characters", *p.MinLength)
	case p.MaxLength != nil:
		add(" of at most %d characters", *p.MaxLength)
	}
	if p.Format != "" {
		add(" in the format %s", printable(p.Format))
	}
	if p.Pattern != "" {
		add(" that matches %s", Clip(strings.Map(visible, p.Pattern), 512)) // its backslashes stay
	}
	if p.Description != "" {
		add(" (%s)", printable(p.Description))
	}
	return text
}

// plain gives YAML's maps the keys that JSON has.
func plain(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[fmt.Sprint(k)] = plain(e)
		}
		return m
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	}
	return v
}

// coerce makes v one of the types; false when it cannot be one. Without types v stays.
func coerce(v any, types []string) (any, bool) {
	if len(types) == 0 {
		return v, true
	}
	for _, t := range types {
		if out, ok := coerceTo(v, t); ok {
			return out, true
		}
	}
	return nil, false
}

func coerceTo(v any, t string) (any, bool) {
	text, isText := v.(string)
	switch t {
	case "string":
		if isText {
			return text, true
		}
		if r := reflect.ValueOf(v); r.Kind() == reflect.String {
			return r.String(), true // of a type of its own
		}
		if isJSON(v, '{') || isJSON(v, '[') || isJSON(v, '"') { // []byte is one of the last
			return nil, false
		}
		return scalarText(v), true // YAML reads 1234 and true where a string was meant
	case "boolean":
		if isText {
			b, err := strconv.ParseBool(strings.TrimSpace(text))
			return b, err == nil
		}
		b, ok := v.(bool)
		return b, ok
	case "integer", "number":
		return coerceNumber(v, t == "integer")
	case "array":
		if isText {
			list := []any{}
			for part := range strings.SplitSeq(text, ",") {
				if part = strings.TrimSpace(part); part != "" {
					list = append(list, part)
				}
			}
			return list, true
		}
		return v, isJSON(v, '[')
	case "object":
		return v, isJSON(v, '{')
	case "null":
		return nil, isText && text == ""
	}
	return nil, false
}

func isJSON(v any, first byte) bool {
	b, err := json.Marshal(v)
	return err == nil && len(b) > 0 && b[0] == first
}

func coerceNumber(v any, integer bool) (any, bool) {
	var text string
	switch v := v.(type) {
	case string:
		text = strings.TrimSpace(v)
	case bool, map[string]any, []any:
		return nil, false
	default:
		text = fmt.Sprint(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, false
	}
	if integer {
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, false
		}
		return int64(f), true
	}
	return f, true
}

// appendSecrets collects the strings of a secret value: whole, each line of it, and each of
// these as JSON, Go and URLs write it. Very short ones would make every text unreadable and
// hide nothing.
func appendSecrets(list []string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			list = appendSecrets(list, e)
		}
	case []any:
		for _, e := range v {
			list = appendSecrets(list, e)
		}
	default:
		whole := scalarText(v)
		list = appendSpellings(list, whole)
		if strings.Contains(whole, "\n") {
			for line := range strings.SplitSeq(whole, "\n") {
				list = appendSpellings(list, strings.TrimRight(line, "\r"))
			}
		}
	}
	return list
}

func appendSpellings(list []string, s string) []string {
	if len(s) < 4 {
		return list
	}
	quoted := strconv.Quote(s)
	inJSON, _ := json.Marshal(s) // a string always has a JSON form
	for _, spelling := range []string{s, quoted[1 : len(quoted)-1], string(inJSON[1 : len(inJSON)-1]), url.QueryEscape(s), url.PathEscape(s)} {
		if !slices.Contains(list, spelling) {
			list = append(list, spelling)
		}
	}
	return list
}

// scalarText writes a string, number or boolean as a person would.
func scalarText(v any) string {
	if f, ok := v.(float64); ok { // what JSON makes of 12345678
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
