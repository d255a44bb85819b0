package config

import (
	"encoding"
	"reflect"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
)

var (
	durationType   = reflect.TypeFor[time.Duration]()
	storageType    = reflect.TypeFor[configuration.Storage]()
	authType       = reflect.TypeFor[configuration.Auth]()
	middlewareType = reflect.TypeFor[map[string][]configuration.Middleware]()
)

// yamlKey returns the key of a field in a file, and whether the field's own keys stand in its place.
func yamlKey(f reflect.StructField) (key string, inline bool) {
	name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name, options == "inline"
}

// ofType reads a node off one of distribution's types.
func ofType(t reflect.Type) *Node {
	switch t {
	case durationType:
		return &Node{Kind: Duration}
	case storageType, authType, middlewareType:
		return section() // filled by sections.go
	}
	switch t.Kind() {
	case reflect.Pointer:
		return ofType(t.Elem())
	case reflect.Struct:
		n := section()
		addFields(n, t)
		return n
	case reflect.Map:
		return &Node{Kind: Map, Elem: ofType(t.Elem())}
	case reflect.Slice:
		return &Node{Kind: List, Elem: ofType(t.Elem())}
	case reflect.Bool:
		return &Node{Kind: Bool}
	case reflect.Int, reflect.Int64:
		return &Node{Kind: Int}
	case reflect.String:
		return &Node{Kind: String}
	case reflect.Interface:
		return &Node{Kind: Any}
	}
	panic("config: distribution's configuration has a field of type " + t.String())
}

func addFields(n *Node, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, inline := yamlKey(f)
		if inline {
			addFields(n, f.Type)
			continue
		}
		child := ofType(f.Type)
		child.Env = strings.ToUpper(f.Name)
		n.Add(key, child)
	}
}

// parameterTag is the key of the struct tags that package factory decodes by.
const parameterTag = "parameter"

// OfParameters reads a Section off a struct whose fields are tagged `parameter:"name"`, as
// package factory decodes it. What the struct holds are the defaults; zero values are none. A type that is an
// encoding.TextUnmarshaler and takes few values may have a method Values() []string, which returns them, for the JSON Schema.
func OfParameters(v any) *Node {
	return ofParameters(reflect.Indirect(reflect.ValueOf(v)))
}

func ofParameters(v reflect.Value) *Node {
	n := section()
	n.Always = true
	addParameters(n, v)
	return n
}

func addParameters(n *Node, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get(parameterTag), ",")
		switch {
		case options == "squash":
			addParameters(n, v.Field(i))
		case name != "" && name != "-":
			child := ofParameter(v.Field(i), name)
			child.Secret = child.Secret || options == "secret"
			if v.Type().Name() != "" {
				child.Field = v.Type().String() + "." + f.Name
			}
			n.Add(name, child)
		}
	}
}

// ofParameter is ofType for the parameters of drivers.
func ofParameter(v reflect.Value, name string) *Node {
	t := v.Type()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
		if v = v.Elem(); !v.IsValid() {
			v = reflect.Zero(t)
		}
	}
	n := &Node{Lenient: true, Secret: secretName(name)}
	switch {
	case t == durationType:
		n.Kind = Duration
	case t.Kind() == reflect.Struct && t.NumField() > 0 && !decodesItself(t):
		return ofParameters(v)
	case decodesItself(t):
		n.Kind = String
		n.judge = func(text string) error {
			return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}
		if few, ok := reflect.Zero(t).Interface().(interface{ Values() []string }); ok {
			n.values = few.Values()
		}
	default:
		n.Kind = parameterKind(t)
	}
	switch n.Kind {
	case List:
		n.Elem = ofParameter(reflect.Zero(t.Elem()), name)
	case Map:
		if t.Elem().Kind() != reflect.Interface {
			n.Elem = ofParameter(reflect.Zero(t.Elem()), name)
		}
	}
	if !v.IsZero() {
		n.Default = plain(v)
	}
	return n
}

func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func parameterKind(t reflect.Type) Kind {
	switch t.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Float32, reflect.Float64:
		return Number
	case reflect.String:
		return String
	case reflect.Map:
		return Map
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return String
		}
		return List
	case reflect.Interface, reflect.Struct:
		return Any
	}
	return Int
}

// Describe sets the Description of each node at and below n that has none and whose Field is in texts, before a Tree is made of it.
func (n *Node) Describe(texts map[string]string) { n.describe(texts, map[*Node]bool{}) }

func (n *Node) describe(texts map[string]string, done map[*Node]bool) {
	if n == nil || done[n] {
		return
	}
	done[n] = true
	if n.Description == "" {
		n.Description = texts[n.Field]
	}
	n.Elem.describe(texts, done)
	for _, child := range n.Keys {
		child.describe(texts, done)
	}
}
