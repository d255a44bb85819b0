package config

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Nested returns values as the maps and lists of a file.
func Nested(values []Value) map[string]any {
	var root yaml.Node
	build(&root, values, false)
	out := map[string]any{}
	if err := root.Decode(&out); err != nil {
		panic(err) // it was built from plain values
	}
	return out
}

// YAML returns values as a file, with the origin of each behind it if that is wanted.
func YAML(values []Value, origin bool) ([]byte, error) {
	var root yaml.Node
	build(&root, values, origin)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&root); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func build(root *yaml.Node, values []Value, origin bool) {
	root.Kind = yaml.MappingNode
	for _, v := range values {
		at := root
		for _, step := range v.steps {
			at = child(at, step)
		}
		if err := at.Encode(v.Value); err != nil {
			panic(err) // values are plain
		}
		if origin {
			at.LineComment = v.Origin.String()
		}
	}
}

// child returns the node below n at a key or an index, made where it is missing.
func child(n *yaml.Node, step any) *yaml.Node {
	if i, ok := step.(int); ok {
		n.Kind = yaml.SequenceNode
		for len(n.Content) <= i {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.MappingNode})
		}
		return n.Content[i]
	}
	n.Kind = yaml.MappingNode
	key := step.(string)
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	name := &yaml.Node{}
	name.SetString(key)
	value := &yaml.Node{Kind: yaml.MappingNode}
	n.Content = append(n.Content, name, value)
	return value
}
