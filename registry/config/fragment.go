package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	yaml2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// Fragment is the parameters of one driver, read from a file of their own.
type Fragment struct {
	// Name is the file's.
	Name string
	// Parameters are what the driver is opened with. They are to be used only when Err is nil.
	Parameters map[string]any
	// Problems are sorted by line.
	Problems []Problem
}

// Err returns the problems as one line, or nil. It is KindInvalidArgument.
func (s *Fragment) Err() error {
	err := errorOf(s.Problems[:min(1, len(s.Problems))])
	if more := len(s.Problems) - 1; more > 0 {
		return invalid(fmt.Sprintf("%v (and %d more)", err, more))
	}
	return err
}

// ReadFragment reads a file that holds the parameters of the driver and nothing else. Variables of the environment do not
// count. name is what problems call the file. It fails only when r does.
func ReadFragment(r io.Reader, name string, driver Driver) (*Fragment, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	n := driver.Parameters
	if n == nil {
		n = &Node{Kind: Map}
	}
	d := &Document{Name: name, tree: &Tree{root: n}, places: map[string]int{}}
	out := &Fragment{Name: name}
	root, err := oneDocument(data)
	switch {
	case errors.Is(err, io.EOF):
		out.Parameters = map[string]any{}
		return out, nil
	case err != nil:
		d.notYAML(err)
	case root.Kind != yaml.MappingNode:
		d.say(root.Line, "", "is no map of the driver's parameters")
	default:
		d.fragment(driver, root, out)
	}
	sortProblems(d.Problems, name)
	out.Problems = d.Problems
	return out, nil
}

// oneDocument returns the first document's root, or io.EOF where there is none. Both libraries must take it.
func oneDocument(data []byte) (*yaml.Node, error) {
	var whole any
	var root yaml.Node
	err := yaml2.Unmarshal(data, &whole)
	if err == nil {
		err = yaml.Unmarshal(data, &root)
	}
	if err == nil && (len(root.Content) == 0 || isNull(root.Content[0])) {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	return root.Content[0], nil
}

// fragment judges the parameters below root, and notes them.
func (d *Document) fragment(driver Driver, root *yaml.Node, out *Fragment) {
	c := &checker{source: d.Name, isFile: true, places: d.places}
	c.check(d.tree.root, root, "", 0)
	d.Problems = append(d.Problems, c.problems...)
	if d.Err() != nil {
		return
	}
	text, err := yaml.Marshal(root)
	var value any
	if err == nil {
		err = yaml2.Unmarshal(text, &value)
	}
	if err != nil {
		d.notYAML(err)
		return
	}
	out.Parameters, _ = plain(reflect.ValueOf(value)).(map[string]any)
	d.needed(d.tree.root, out.Parameters, "")
	if d.Err() == nil && driver.Judge != nil {
		d.judged("", driver.Judge(out.Parameters))
	}
}
