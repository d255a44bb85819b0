package factory

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// Schema returns the JSON Schema of the parameters that Decode sets in the struct config, or the one that it points to: an object schema with a property for each,
// and no others. A field tagged `parameter:"name,secret"` is writeOnly: its value is never printed. Numbers, booleans and lists may be
// strings as well, as Decode takes them.
func Schema(config any) (json.RawMessage, error) {
	t := reflect.TypeOf(config)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "factory.Schema: config is a %T, not a struct", config)
	}
	properties := map[string]property{}
	addProperties(t, properties)
	return json.Marshal(struct {
		Type       string              `json:"type"`
		Additional bool                `json:"additionalProperties"`
		Properties map[string]property `json:"properties"`
	}{"object", false, properties})
}

// property is the schema of one parameter.
type property struct {
	Type      []string `json:"type"`
	WriteOnly bool     `json:"writeOnly,omitempty"`
}

func addProperties(t reflect.Type, to map[string]property) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get(tag), ",")
		switch {
		case options == "squash" && f.Type.Kind() == reflect.Struct:
			addProperties(f.Type, to)
		case name != "" && name != "-":
			to[name] = property{Type: schemaTypes(f.Type), WriteOnly: options == secretOption}
		}
	}
}

// secretOption marks a parameter's tag.
const secretOption = "secret"

// schemaTypes returns the types of JSON that Decode makes a t of.
func schemaTypes(t reflect.Type) []string {
	if t == durationType || reflect.PointerTo(t).Implements(textType) {
		return []string{"string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaTypes(t.Elem())
	case reflect.Bool:
		return []string{"boolean", "string"}
	case reflect.Float32, reflect.Float64:
		return []string{"number", "string"}
	case reflect.Slice, reflect.Array:
		return []string{"array", "string"}
	case reflect.Map, reflect.Struct:
		return []string{"object"}
	}
	if _, _, whole := bounds(t); whole {
		return []string{"integer", "string"}
	}
	return []string{"string"}
}
