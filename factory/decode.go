package factory

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"

	"github.com/berth-dev/storagedriver"
)

// tag is the key of struct tags that name parameters.
const tag = "parameter"

// Decode sets the fields of the struct that into points to from parameters. A field takes
// part when it is tagged `parameter:"name"`, or is an embedded struct tagged
// `parameter:",squash"`; names match exactly. A parameter that is absent or nil leaves its
// field alone, so defaults are set before.
//
// Values come from YAML, JSON, flags and the environment: numbers, booleans and durations
// ("30s") may be strings, strings may be numbers and booleans, a list may be one string with
// commas, maps may have keys of any type. What would lose something is refused: 1.5 for an
// int, -1 for a uint, a number out of range, "" for a number. A field whose type is an
// encoding.TextUnmarshaler checks its value itself.
//
// The error is KindInvalidArgument, one line for all that is wrong: it names each parameter
// and what is allowed, and never a value, for values may be secret. After an error the
// fields are not to be used.
func Decode(parameters map[string]any, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "factory.Decode: into is a %T, not a pointer to a struct", into)
	}
	allowed := names(v.Elem().Type(), nil)
	slices.Sort(allowed)
	known := maps.Clone(parameters)
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !slices.Contains(allowed, name) {
			wrong = append(wrong, unknownParameter(name, allowed))
			delete(known, name)
		}
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:               into,
		TagName:              tag,
		ErrorUnused:          true, // of nested structs
		IgnoreUntaggedFields: true,
		MatchName:            func(a, b string) bool { return a == b },
		DecodeHook:           coerce,
	})
	if err != nil {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "factory.Decode: %w", err)
	}
	if err := decoder.Decode(known); err != nil {
		wrong = append(wrong, describe(err, "")...)
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return storagedriver.NewError(storagedriver.KindInvalidArgument, strings.Join(slices.Compact(wrong), "; "))
	}
	return nil
}

func unknownParameter(name string, allowed []string) string {
	if len(allowed) == 0 {
		return "unknown parameter " + quote(name) + ": there are no parameters"
	}
	return "unknown parameter " + quote(name) + ": allowed are " + strings.Join(allowed, ", ")
}

// names appends the parameters of the struct t.
func names(t reflect.Type, to []string) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get(tag), ",")
		switch {
		case options == "squash" && f.Type.Kind() == reflect.Struct:
			to = names(f.Type, to)
		case name != "" && name != "-":
			to = append(to, name)
		}
	}
	return to
}

// refusal is the text of an error of ours, without any value in it: "must be ...".
type refusal string

func (r refusal) Error() string { return string(r) }

// describe returns what is wrong, by parameter. The library's own texts are not used where
// they could hold a value.
func describe(err error, name string) []string {
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		var out []string
		for _, e := range all.Unwrap() {
			out = append(out, describe(e, name)...)
		}
		return out
	}
	var field *mapstructure.DecodeError
	if errors.As(err, &field) {
		return describe(field.Unwrap(), field.Name())
	}
	var (
		ours  refusal
		parse *mapstructure.ParseError
		kind  *mapstructure.UnconvertibleTypeError
	)
	what := "parameter " + quote(name) + " "
	switch {
	case errors.As(err, &ours):
		return []string{what + string(ours)}
	case errors.As(err, &parse):
		return []string{what + must(parse.Expected.Type())}
	case errors.As(err, &kind):
		return []string{what + must(kind.Expected.Type())}
	}
	if text, found := strings.CutPrefix(err.Error(), "has invalid keys: "); found {
		return []string{what + "has unknown keys: " + strconv.Quote(text)}
	}
	return []string{what + "has a wrong shape"}
}

// must says what a value of type t looks like.
func must(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "must be true or false"
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	case reflect.String:
		return "must be a string"
	case reflect.Slice, reflect.Array:
		return "must be a list"
	case reflect.Map, reflect.Struct:
		return "must be a map"
	case reflect.Pointer:
		return must(t.Elem())
	}
	if t == durationType {
		return `must be a duration such as "30s"`
	}
	if low, high, ok := bounds(t); ok {
		return fmt.Sprintf("must be a whole number from %s to %s", low, high)
	}
	return "has a type that is not supported"
}
