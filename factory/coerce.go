package factory

import (
	"encoding"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// coerce is the decoder's hook: it turns what the operator's files and variables give into
// what a field holds, or refuses it. The decoder's own weak typing is off: it makes 1 of
// 1.5, 0 of "", and a huge number of -1.
func coerce(from, to reflect.Value) (any, error) {
	if from.Kind() == reflect.Interface {
		from = from.Elem()
	}
	t := to.Type()
	if !from.IsValid() || t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return value(from), nil
	}
	text, scalar := textOf(from)
	switch {
	case scalar && reflect.PointerTo(t).Implements(textType):
		return unmarshalText(text, t)
	case t == durationType:
		if d, ok := from.Interface().(time.Duration); ok {
			return d, nil
		}
		d, err := time.ParseDuration(text)
		if !scalar || err != nil {
			return nil, refusal(must(t))
		}
		return d, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if !scalar || err != nil {
			return nil, refusal(must(t))
		}
		return b, nil
	case reflect.String:
		if !scalar {
			return nil, refusal(must(t))
		}
		return text, nil
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, t.Bits())
		if !scalar || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, refusal(must(t))
		}
		return f, nil
	case reflect.Slice:
		if scalar && t.Elem().Kind() == reflect.Uint8 {
			return []byte(text), nil
		}
		if scalar {
			return list(text), nil
		}
	}
	if got := from.Kind(); got != t.Kind() && (t.Kind() == reflect.Map || t.Kind() == reflect.Struct && got != reflect.Map ||
		t.Kind() == reflect.Slice && got != reflect.Array) {
		return nil, refusal(must(t))
	}
	if _, _, whole := bounds(t); whole {
		return wholeNumber(text, scalar && from.Kind() != reflect.Bool, t)
	}
	return value(from), nil
}

func value(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	return v.Interface()
}

// textOf returns the text of a scalar: what the operator wrote, or an equal of it.
func textOf(v reflect.Value) (text string, scalar bool) {
	switch v.Kind() {
	case reflect.String:
		return v.String(), true
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), true
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits()), true
	}
	return "", false
}

// wholeNumber parses text for the integer type t, in Go's notation: 0x and _ are allowed.
func wholeNumber(text string, scalar bool, t reflect.Type) (any, error) {
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		if n, err := strconv.ParseUint(text, 0, t.Bits()); scalar && err == nil {
			return n, nil
		}
	} else if n, err := strconv.ParseInt(text, 0, t.Bits()); scalar && err == nil {
		return n, nil
	}
	return nil, refusal(must(t))
}

// bounds returns the least and the greatest number of an integer type.
func bounds(t reflect.Type) (low, high string, ok bool) {
	one := big.NewInt(1)
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		half := new(big.Int).Lsh(one, uint(t.Bits()-1))
		return new(big.Int).Neg(half).String(), half.Sub(half, one).String(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		top := new(big.Int).Lsh(one, uint(t.Bits()))
		return "0", top.Sub(top, one).String(), true
	}
	return "", "", false
}

// list splits the one string that flags and the environment have for a list.
func list(text string) []string {
	if strings.TrimSpace(text) == "" {
		return []string{}
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// unmarshalText lets a field's type check its value. Its error says what is allowed; one that
// repeats the value is replaced.
func unmarshalText(text string, t reflect.Type) (any, error) {
	p := reflect.New(t)
	err := p.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	switch {
	case err == nil:
		return p.Elem().Interface(), nil
	case repeats(err.Error(), text), strings.ContainsAny(err.Error(), "\r\n"):
		return nil, refusal("is not acceptable")
	}
	return nil, refusal(err.Error())
}

// repeats reports whether message has text in it. What is too short to tell from the
// message's own words counts only in quotes.
func repeats(message, text string) bool {
	if len(text) < 4 {
		return strings.Contains(message, strconv.Quote(text))
	}
	return strings.Contains(message, text)
}
