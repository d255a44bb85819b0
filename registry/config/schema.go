package config

import (
	"maps"
	"slices"
	"strings"
)

// Schema returns the JSON Schema (2020-12) of what the tree says, for editors and for checks
// outside of this program. It is laxer than Read where a rule joins several keys.
func (t *Tree) Schema() map[string]any {
	s := t.root.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of a registry"
	s["required"] = []any{"version", "storage"}
	return s
}

func (n *Node) schema() map[string]any {
	if n == nil {
		return map[string]any{}
	}
	s := n.shape()
	if n.Refused != "" {
		s = map[string]any{"not": map[string]any{}, "description": n.Refused}
	}
	if n.Description != "" {
		s["description"] = n.Description
	}
	if n.Default != nil && !n.Secret {
		s["default"] = n.Default
	}
	return s
}

func (n *Node) shape() map[string]any {
	switch n.Kind {
	case Section:
		return n.sectionSchema()
	case Map:
		s := map[string]any{"type": []any{"object", "null"}}
		if n.Elem != nil {
			s["additionalProperties"] = n.Elem.schema()
		}
		return s
	case List:
		s := map[string]any{"type": []any{"array", "null"}, "items": n.Elem.schema()}
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

func (n *Node) sectionSchema() map[string]any {
	properties := map[string]any{}
	for name, child := range n.Keys {
		properties[name] = child.schema()
	}
	s := map[string]any{"type": "object", "properties": properties}
	if !n.Open {
		s["additionalProperties"] = false
	}
	if len(n.Variants) > 0 {
		s["allOf"] = n.variantSchemas()
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

func (n *Node) variantSchemas() []any {
	var out []any
	for _, name := range slices.Sorted(maps.Keys(n.Variants)) {
		v := n.Variants[name]
		named := map[string]any{"required": []any{"name"}, "properties": map[string]any{"name": map[string]any{"const": name}}}
		if v.Refused != "" {
			out = append(out, map[string]any{"not": named, "description": v.Refused})
			continue
		}
		out = append(out, map[string]any{"if": named, "then": map[string]any{"properties": map[string]any{"options": v.schema()}}})
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
