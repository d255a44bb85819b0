package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Schema returns the JSON Schema (2020-12) of what the tree says, for editors and for checks
// outside of this program. It is laxer than Read where a rule joins several keys.
func (t *Tree) Schema() map[string]any {
	defined := definitions{}
	s := defined.of(t.root)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of a registry"
	s["required"] = []any{"version", "storage"}
	if len(defined) > 0 {
		s["$defs"] = defined
	}
	return s
}

// Schema returns the JSON Schema (2020-12) of the driver's parameters; of one whose parameters are not known, that of any.
func (d Driver) Schema() map[string]any {
	defined := definitions{}
	s := d.Parameters.schema(defined)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Parameters of the storage driver " + d.Name
	if len(defined) > 0 {
		s["$defs"] = defined
	}
	return s
}

// definitions are the schemas of nodes with a Def, by that. One is there, though empty, while it is made.
type definitions map[string]any

func (d definitions) of(n *Node) map[string]any {
	if n == nil || n.Def == "" {
		return n.schema(d)
	}
	if _, there := d[n.Def]; !there {
		d[n.Def] = map[string]any{}
		d[n.Def] = n.schema(d)
	}
	return map[string]any{"$ref": "#/$defs/" + n.Def}
}

func (n *Node) schema(d definitions) map[string]any {
	if n == nil {
		return map[string]any{}
	}
	s := n.shape(d)
	if n.Refused != "" {
		s = map[string]any{"not": map[string]any{}, "description": n.Refused}
	}
	if n.Description != "" {
		s["description"] = n.Description
	}
	if n.Default != nil && !n.Secret {
		s["default"] = n.Default
	}
	if n.Secret {
		s["writeOnly"] = true
	}
	return s
}

func (n *Node) shape(d definitions) map[string]any {
	switch n.Kind {
	case Section:
		if n.Alone != "" {
			return map[string]any{"anyOf": []any{d.of(n.Keys[n.Alone]), n.sectionSchema(d)}}
		}
		return n.sectionSchema(d)
	case Map:
		s := map[string]any{"type": []any{"object", "null"}}
		if n.Elem != nil {
			s["additionalProperties"] = d.of(n.Elem)
		}
		return s
	case List:
		s := map[string]any{"type": []any{"array", "null"}, "items": d.of(n.Elem)}
		if n.Lenient {
			s["type"] = []any{"array", "string", "number", "null"}
		}
		return s
	case Bool:
		return n.scalarSchema("boolean", `^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$`)
	case Int:
		return n.scalarSchema("integer", `^[-+]?(0[xXoObB])?[0-9a-fA-F_]+$`)
	case Number:
		return n.scalarSchema("number", `^[-+.0-9eExXpP_a-fA-F]+$`)
	case Duration:
		return map[string]any{
			"type":    []any{"string", "integer", "null"},
			"pattern": `^[-+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`,
		}
	case String:
		return n.stringSchema()
	}
	return map[string]any{}
}

// scalarSchema is one of a type, or of text that means it where the node is lenient.
func (n *Node) scalarSchema(kind, pattern string) map[string]any {
	if !n.Lenient {
		return map[string]any{"type": []any{kind, "null"}}
	}
	return map[string]any{"type": []any{kind, "string", "null"}, "pattern": pattern}
}

func (n *Node) stringSchema() map[string]any {
	if len(n.values) > 0 {
		return map[string]any{"enum": n.accepted()}
	}
	if len(n.Enum) == 0 {
		if n.Exact {
			return map[string]any{"type": []any{"string", "null"}}
		}
		return map[string]any{"type": []any{"string", "number", "boolean", "null"}}
	}
	values := []any{nil}
	for _, e := range n.Enum {
		values = append(values, e)
		if n.Fold {
			for _, other := range []string{strings.ToUpper(e), strings.ToUpper(e[:1]) + e[1:]} {
				values = append(values, other)
			}
		}
	}
	if slices.Contains(n.Enum, "0.1") {
		values = append(values, 0.1)
	}
	return map[string]any{"enum": values}
}

// accepted are the values that the node's type takes: in other case too if it does, and as the booleans that YAML makes of some words.
func (n *Node) accepted() []any {
	values := []any{nil}
	for _, v := range n.values {
		for _, form := range []string{v, strings.ToUpper(v), strings.ToLower(v)} {
			if n.judge(form) == nil && !slices.Contains(values, any(form)) {
				values = append(values, form)
			}
		}
	}
	for _, value := range []bool{false, true} {
		if n.judge(strconv.FormatBool(value)) == nil {
			values = append(values, value)
		}
	}
	return values
}

func (n *Node) sectionSchema(d definitions) map[string]any {
	properties := map[string]any{}
	for name, child := range n.Keys {
		properties[name] = d.of(child)
	}
	s := map[string]any{"type": "object", "properties": properties}
	if !n.Open {
		s["additionalProperties"] = false
	}
	if len(n.Variants) > 0 {
		s["allOf"] = n.variantSchemas(d)
	}
	if len(n.Required) > 0 {
		var names []any
		for _, name := range n.Required {
			names = append(names, name)
		}
		s["required"] = names
	}
	types := []any{"object", "null"}
	if n.Short {
		types = append(types, "string")
		s["if"], s["then"] = map[string]any{"type": "string"}, map[string]any{"enum": anys(n.names())}
	}
	s["type"] = types
	return s
}

func (n *Node) variantSchemas(d definitions) []any {
	var out []any
	for _, name := range slices.Sorted(maps.Keys(n.Variants)) {
		v := n.Variants[name]
		named := map[string]any{"required": []any{"name"}, "properties": map[string]any{"name": map[string]any{"const": name}}}
		if v.Refused != "" {
			out = append(out, map[string]any{"not": named, "description": v.Refused})
			continue
		}
		out = append(out, map[string]any{"if": named, "then": map[string]any{"properties": map[string]any{"options": d.of(v)}}})
	}
	return out
}

func anys(names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out
}
