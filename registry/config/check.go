package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxDepth ends the descent into a configuration: none has as many levels, and an alias may
// name what contains it.
const maxDepth = 50

// checker walks what was written along with what may be said.
type checker struct {
	source   string
	isFile   bool
	problems []Problem
	// places are the lines at which keys are set; of a variable, 0.
	places map[string]int
}

func (c *checker) line(at *yaml.Node) int {
	if !c.isFile {
		return 0
	}
	return at.Line
}

func (c *checker) say(at *yaml.Node, path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Source: c.source, Line: c.line(at), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(at *yaml.Node, path, format string, args ...any) {
	c.say(at, path, format, args...)
	c.problems[len(c.problems)-1].Warning = true
}

// check judges v, which stands at path.
func (c *checker) check(n *Node, v *yaml.Node, path string, depth int) {
	for v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	if depth > maxDepth {
		c.say(v, path, "is nested too deep")
		return
	}
	if isNull(v) || n == nil || n.Kind == Any {
		return
	}
	switch n.Kind {
	case Section:
		c.section(n, v, path, depth)
	case Map:
		c.free(n, v, path, depth)
	case List:
		c.list(n, v, path, depth)
	default:
		c.scalar(n, v, path)
	}
}

func isNull(v *yaml.Node) bool {
	return v.Kind == 0 || v.Kind == yaml.ScalarNode && resolve(v) == nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// entry is one key of a map with its value.
type entry struct {
	key, value *yaml.Node
}

// entries returns those of a map, what is merged into it first; a key that stands twice in the map
// itself is a problem.
func (c *checker) entries(v *yaml.Node, path string, depth int) []entry {
	var merged, own []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, value := v.Content[i], v.Content[i+1]
		if key.Value == "<<" && key.Style == 0 {
			merged = append(merged, c.merged(value, path, depth)...)
			continue
		}
		if line, twice := seen[key.Value]; twice {
			if c.isFile {
				c.say(key, join(path, key.Value), "is set twice; line %d has it already", line)
			} else {
				c.say(key, join(path, key.Value), "is set twice")
			}
		}
		seen[key.Value] = key.Line
		own = append(own, entry{key, value})
	}
	return append(merged, own...)
}

func (c *checker) merged(value *yaml.Node, path string, depth int) []entry {
	for value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if depth > maxDepth {
		return nil
	}
	switch value.Kind {
	case yaml.MappingNode:
		return c.entries(value, path, depth+1)
	case yaml.SequenceNode:
		var out []entry
		for _, v := range value.Content {
			out = append(out, c.merged(v, path, depth+1)...)
		}
		return out
	}
	return nil
}

func (c *checker) section(n *Node, v *yaml.Node, path string, depth int) {
	if v.Kind == yaml.ScalarNode && n.Short {
		if child, ok := c.known(n, v, path, v.Value); ok {
			c.places[path] = c.line(v)
			c.places[join(path, v.Value)] = c.line(v)
			c.refused(child, v, join(path, v.Value))
		}
		return
	}
	if v.Kind == yaml.ScalarNode && n.Alone != "" {
		c.check(n.Keys[n.Alone], v, path, depth+1)
		return
	}
	if v.Kind != yaml.MappingNode {
		c.say(v, path, "must be a section with keys of its own: %s", strings.Join(n.names(), ", "))
		return
	}
	all := c.entries(v, path, depth)
	for _, e := range all {
		name, at := e.key.Value, join(path, e.key.Value)
		child, ok := c.known(n, e.key, path, name)
		if !ok {
			continue
		}
		if name == "options" && (n.Variants != nil || n.Open) {
			child = c.options(n, all, path)
		}
		c.places[at] = c.line(e.key)
		if child != nil && !isNull(e.value) && c.refused(child, e.key, at) {
			continue
		}
		c.check(child, e.value, at, depth+1)
	}
}

// known returns the node of a key, which is nil where anything may stand.
func (c *checker) known(n *Node, at *yaml.Node, path, name string) (*Node, bool) {
	if child, ok := n.Keys[name]; ok {
		return child, true
	}
	if what, gone := n.Gone[name]; gone {
		c.say(at, join(path, name), "%s", what)
		return nil, false
	}
	if n.Open {
		return nil, true
	}
	c.say(at, join(path, name), "%s", unknown(n, name))
	return nil, false
}

// unknown says that a section has no such key, and which it has.
func unknown(n *Node, name string) string {
	what := "is unknown"
	names := n.names()
	if near := nearest(name, names); near != "" {
		return what + "; did you mean " + near + "?"
	}
	switch {
	case n.Other != "":
		return n.Other
	case len(names) == 0:
		return what + "; nothing can be set here"
	}
	return what + "; there are " + strings.Join(names, ", ")
}

func (c *checker) refused(n *Node, at *yaml.Node, path string) bool {
	if n != nil && n.Refused != "" {
		c.say(at, path, "%s", n.Refused)
		return true
	}
	return false
}

// options returns what the key "options" holds, by the name that stands beside it.
func (c *checker) options(n *Node, all []entry, path string) *Node {
	for _, e := range all {
		if e.key.Value != "name" {
			continue
		}
		if variant, ok := n.Variants[e.value.Value]; ok && variant.Refused == "" {
			return variant
		}
	}
	return &Node{Kind: Map} // the name is judged by the rules, which know variables too
}

func (c *checker) free(n *Node, v *yaml.Node, path string, depth int) {
	if v.Kind != yaml.MappingNode {
		c.say(v, path, "must be a map")
		return
	}
	for _, e := range c.entries(v, path, depth) {
		at := join(path, e.key.Value)
		c.places[at] = c.line(e.key)
		c.check(n.Elem, e.value, at, depth+1)
	}
}

func (c *checker) list(n *Node, v *yaml.Node, path string, depth int) {
	if v.Kind == yaml.ScalarNode && n.Lenient {
		return // one, or several with commas
	}
	if v.Kind != yaml.SequenceNode {
		c.say(v, path, "must be a list")
		return
	}
	for i, item := range v.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.places[at] = c.line(item)
		c.check(n.Elem, item, at, depth+1)
	}
}

func (c *checker) scalar(n *Node, v *yaml.Node, path string) {
	if v.Kind != yaml.ScalarNode {
		c.say(v, path, "%s", mustBe(n))
		return
	}
	value := resolve(v)
	if !fits(n, value) {
		c.say(v, path, "%s", mustBe(n))
		return
	}
	if _, number := value.(int); number && n.Kind == Duration && value != 0 {
		c.warn(v, path, "has no unit, so it is nanoseconds; write for example 30s")
	}
	if n.judge != nil {
		if err := n.judge(v.Value); err != nil {
			c.say(v, path, "%s", withoutValue(err.Error(), v.Value))
		}
	}
	if len(n.Enum) > 0 && !allowed(n, v.Value) {
		near := nearest(v.Value, n.Enum)
		switch {
		case len(n.Enum) == 1:
			c.say(v, path, "must be %s", n.Enum[0])
			return
		case near != "":
			near = "; did you mean " + near + "?"
		}
		c.say(v, path, "is none of %s%s", strings.Join(n.Enum, ", "), near)
	}
}

// withoutValue is the text of somebody else's error, unless it holds the value. One that is too short to tell from the text's own words
// counts only in quotes, as in package factory.
func withoutValue(text, value string) string {
	if len(value) < 4 {
		value = strconv.Quote(value)
	}
	if strings.Contains(text, value) {
		return "is not allowed"
	}
	return text
}

func allowed(n *Node, value string) bool {
	return slices.ContainsFunc(n.Enum, func(e string) bool {
		return e == value || n.Fold && strings.EqualFold(e, value)
	})
}

// fits reports whether a scalar is of the node's kind. A lenient one may be text.
func fits(n *Node, value any) bool {
	text, isText := value.(string)
	if isText && n.Lenient && n.Kind != Duration {
		switch n.Kind {
		case Bool:
			_, err := strconv.ParseBool(text)
			return err == nil
		case Int:
			_, err := strconv.ParseInt(text, 0, 64)
			return err == nil
		case Number:
			_, err := strconv.ParseFloat(text, 64)
			return err == nil
		}
	}
	switch n.Kind {
	case Bool:
		if number, ok := value.(int); ok && n.Lenient {
			return number == 0 || number == 1
		}
		_, ok := value.(bool)
		return ok
	case Int:
		return isWhole(value)
	case Number:
		_, float := value.(float64)
		return float || isWhole(value)
	case Duration:
		if isText {
			_, err := time.ParseDuration(text)
			return err == nil
		}
		return isWhole(value) && (!n.Lenient || value == 0)
	}
	return isText || !n.Exact
}

func isWhole(value any) bool {
	switch v := value.(type) {
	case int, int64, uint64:
		return true
	case float64:
		return v == float64(int64(v))
	}
	return false
}

// mustBe says what a value looks like.
func mustBe(n *Node) string {
	switch n.Kind {
	case Bool:
		return "must be true or false, without quotes"
	case Int:
		return "must be a whole number"
	case Number:
		return "must be a number"
	case Duration:
		return "must be a duration such as 30s or 2h45m"
	}
	if n.Exact {
		return "must be text; put it in quotes"
	}
	return "must be text"
}
