package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	yaml2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// plain turns a value into maps with string keys, lists and scalars, with durations as text.
// Fields of structs go by their keys in a file or, in parameters, by their tags.
func plain(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return plain(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		plainFields(v, out)
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for _, key := range v.MapKeys() {
			out[fmt.Sprint(key.Interface())] = plain(v.MapIndex(key))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.String:
		return v.String()
	}
	return v.Interface()
}

func plainFields(v reflect.Value, out map[string]any) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		key, inline := yamlKey(f)
		if tag, _, _ := strings.Cut(f.Tag.Get(parameterTag), ","); tag != "" {
			key = tag
		}
		if inline || f.Tag.Get(parameterTag) == ",squash" {
			plainFields(v.Field(i), out)
			continue
		}
		out[key] = plain(v.Field(i))
	}
}

// resolve returns the value of a scalar as distribution's parser takes it: in YAML 1.1, where
// yes is true.
func resolve(n *yaml.Node) any {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Tag == "!!str" && n.Style&yaml.TaggedStyle != 0 {
		return n.Value
	}
	return resolveText(n.Value)
}

func resolveText(text string) any {
	var out any
	if err := yaml2.Unmarshal([]byte(text), &out); err != nil {
		return text
	}
	switch out.(type) {
	case map[any]any, []any:
		return text
	}
	return out
}
