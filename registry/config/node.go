package config

import (
	"maps"
	"slices"
	"strings"
)

// Kind is what a value must look like.
type Kind int

// The kinds of values.
const (
	Any      Kind = iota // whatever YAML can say
	Section              // a map whose keys are known
	Map                  // a map with keys of the operator's
	List                 // a list
	String               // a scalar
	Bool                 // true or false
	Int                  // a whole number
	Number               // a number
	Duration             // 30s, or a whole number of nanoseconds
)

// Node says what may stand at one place of a configuration. A Node is not changed once its
// Tree is made, and may be read concurrently.
type Node struct {
	Kind Kind
	// Keys are those of a Section.
	Keys map[string]*Node
	// Order is the keys of a Section as they are declared.
	Order []string
	// Elem is what a Map or a List holds; nil is anything.
	Elem *Node
	// Enum are the only values of a String, compared without regard to case if Fold is set.
	Enum []string
	Fold bool
	// Short is what a scalar in place of a Section means ("storage: inmemory"): the name of
	// the key that gets an empty section.
	Short bool
	// Alone is the key of a Section whose value a scalar in place of the Section is ("http://a" for
	// {origin: http://a}).
	Alone string
	// Def is the name under which the JSON Schema defines the node, once, for those that stand in several places or
	// contain themselves; "" has it written out where it stands.
	Def string
	// Lenient values may be strings wherever their text is a value of Kind: what package
	// factory makes of a driver's parameters.
	Lenient bool
	// Exact strings may not be numbers or booleans: distribution's parameters are not converted.
	Exact bool
	// judge returns what is wrong with the text of a String whose type checks it itself.
	judge func(text string) error
	// Secret values are never shown, wherever they come from.
	Secret bool
	// Default is what counts when nothing is set; nil when there is nothing to say.
	Default any
	// Always says that the defaults of a Section count also when nothing of it is set.
	Always bool
	// Env is the key's part of a REGISTRY_* variable; empty where variables use the key itself.
	Env string
	// Refused says why the key cannot be used, although it is known: it follows the key's path.
	Refused string
	// Description is one line for the JSON Schema.
	Description string
	// Field is what OfParameters read the node off, as in "filesystem.Config.RootDirectory"; "" is nothing, or a field of a type without a name.
	Field string
	// values are what a String whose type checks it itself may be, if there are few.
	values []string
	// Gone are former keys of a Section, and what to do instead.
	Gone map[string]string
	// Required keys of a Section must be set where the Section is.
	Required []string
	// Variants are what the key "options" of a Section holds, by the value of its key "name";
	// names that are missing here are refused unless the Section is Open.
	Variants map[string]*Node
	// Open Sections may have other keys: those of programs that this package does not know.
	Open bool
	// Other says why a key that is not in Keys is refused, in place of "is unknown".
	Other string
}

// section returns a Section with the keys in the order given: name, node, name, node.
func section(pairs ...any) *Node {
	n := &Node{Kind: Section, Keys: map[string]*Node{}}
	for i := 0; i < len(pairs); i += 2 {
		n.Add(pairs[i].(string), pairs[i+1].(*Node))
	}
	return n
}

// Add makes name a key of the Section n, before a Tree is made of it.
func (n *Node) Add(name string, child *Node) {
	if _, there := n.Keys[name]; !there {
		n.Order = append(n.Order, name)
	}
	n.Keys[name] = child
}

// at returns the node of a path such as "http.tls" below n; "[]" steps into a list.
func (n *Node) at(path string) *Node {
	for _, step := range strings.Split(path, ".") {
		name, list := strings.CutSuffix(step, "[]")
		next, ok := n.Keys[name]
		if !ok {
			panic("config: no key " + path)
		}
		if n = next; list {
			n = n.Elem
		}
	}
	return n
}

// envName is the part of a variable's name that stands for the key.
func (n *Node) envName(key string) string {
	if n.Env != "" {
		return n.Env
	}
	return strings.ToUpper(key)
}

// names are the keys of a Section that can be used.
func (n *Node) names() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(n.Keys)) {
		if n.Keys[name].Refused == "" {
			out = append(out, name)
		}
	}
	return out
}
