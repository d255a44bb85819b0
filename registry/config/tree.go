package config

import (
	"io/fs"
	"reflect"
	"slices"

	"github.com/distribution/distribution/v3/configuration"
)

// Known is what a program has, beyond what distribution's configuration names itself. The
// zero value is a program about which nothing is known: any driver and any middleware is
// accepted, with any parameters.
type Known struct {
	// Drivers are all drivers that storage may name.
	Drivers []Driver
}

// Driver is a storage driver that a configuration may name.
type Driver struct {
	// Name is its key in the section storage.
	Name string
	// Parameters are its own; nil is anything. See OfParameters.
	Parameters *Node
	// Judge, if set, returns what is wrong with parameters that Parameters has nothing against, as numbers out of their
	// range. It opens nothing, and its error holds no secret. A PlaceError says of which key that is, and what errors.Join
	// returns is said one by one.
	Judge func(parameters map[string]any) error
}

// PlaceError says what is wrong with one key of a driver's parameters. It is KindInvalidArgument.
type PlaceError struct {
	// Key is its path below the parameters, as "allow[0].origin".
	Key string
	// Message follows the key: what is wrong and what to do, without a value that may be secret.
	Message string
}

// Error is the key and the message.
func (e *PlaceError) Error() string { return e.Key + " " + e.Message }

// Is makes it an error of KindInvalidArgument.
func (e *PlaceError) Is(target error) bool { return target == fs.ErrInvalid }

// Tree is what a configuration may say. It is not changed once made, and may be used concurrently.
type Tree struct {
	root   *Node
	judges map[string]func(map[string]any) error // by the driver's name
}

// New returns what the configuration of a program may say that has what known lists.
func New(known Known) *Tree {
	root := ofType(reflect.TypeFor[configuration.Configuration]())
	root.Always = true
	fillStorage(root.at("storage"), known)
	fillAuth(root.at("auth"))
	fillMiddleware(root.at("middleware"), known)
	fillEnums(root)
	fillDefaults(root)
	fillGone(root)
	for _, path := range secrets {
		root.at(path).Secret = true
	}
	for path, names := range required {
		root.at(path).Required = names
	}
	judges := map[string]func(map[string]any) error{}
	for _, d := range known.Drivers {
		if d.Judge != nil {
			judges[d.Name] = d.Judge
		}
	}
	return &Tree{root, judges}
}

// Keys returns the paths of all keys below the path given, a list's elements as "[]", in ascending
// order; those below "" are all there are. Keys that are refused are among them.
func (t *Tree) Keys(below string) []string {
	var out []string
	n, prefix := t.root, ""
	if below != "" {
		n, prefix = t.root.at(below), below+"."
	}
	n.paths(prefix, &out)
	slices.Sort(out)
	return out
}

func (n *Node) paths(prefix string, to *[]string) {
	for _, name := range n.Order {
		child := n.Keys[name]
		path := prefix + name
		for child.Kind == List && child.Elem != nil && child.Elem.Kind == Section {
			path, child = path+"[]", child.Elem
		}
		*to = append(*to, path)
		child.paths(path+".", to)
	}
}

// refusedAbove returns the key at or above path that cannot be used, and why.
func (t *Tree) refusedAbove(path string) (section, why string) {
	for i := range len(path) + 1 {
		if i == len(path) || path[i] == '.' || path[i] == '[' {
			if why := t.nodeOf(path[:i]).Refused; why != "" {
				return path[:i], why
			}
		}
	}
	return "", ""
}
