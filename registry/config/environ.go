package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// prefix begins the variables that override keys.
const prefix = "REGISTRY_"

// pathVariable names the file, and overrides nothing.
const pathVariable = "REGISTRY_CONFIGURATION_PATH"

// setting is a variable that sets a key.
type setting struct {
	name string
	path string
	null bool // the value is nothing, to which other variables may add
	// places are the keys that the value sets.
	places map[string]int
}

// serviceVariable matches what Kubernetes sets in every container for a Service called registry or
// registry-something, and Docker for a link: they are no configuration. A plain number in
// REGISTRY_HTTP_PORT is somebody's mistake, so that ports count only as Kubernetes writes them.
var serviceVariable = regexp.MustCompile(`^REGISTRY_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)=|^REGISTRY_(?:[A-Z0-9_]+_)?PORT=(?:tcp|udp|sctp)://`)

const serviceAdvice = "Kubernetes sets it for a Service of that name; set enableServiceLinks: false in the pod, or rename the Service"

// environment judges the variables, and notes which keys they set. They come as NAME=value.
func (d *Document) environment(environ []string) {
	environ = slices.Clone(environ)
	slices.Sort(environ)
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, prefix)
		if !ours || name == pathVariable {
			continue
		}
		isService := serviceVariable.MatchString(variable)
		target, path, at, ok := d.tree.resolve(strings.Split(rest, "_"))
		switch {
		case isService && strings.HasPrefix(rest, "STORAGE_"): // whatever the name, for distribution's parser
			d.sayOf(name, false, "would name a storage driver: "+serviceAdvice)
		case isService && strings.HasPrefix(rest, "AUTH_"):
			d.sayOf(name, false, "would name a way to authenticate: "+serviceAdvice)
		case ok:
			d.variable(name, value, path, target)
		case isService:
		default:
			d.unknownVariable(name, rest, at)
		}
	}
}

func (d *Document) sayOf(name string, warning bool, format string, args ...any) {
	d.Problems = append(d.Problems, Problem{Source: name, Message: fmt.Sprintf(format, args...), Warning: warning})
}

// variable judges the value of one that sets the key at path.
func (d *Document) variable(name, value, path string, target *Node) {
	d.env = append(d.env, setting{name: name, path: path})
	own := &d.env[len(d.env)-1]
	if section, why := d.tree.refusedAbove(path); why != "" {
		d.Problems = append(d.Problems, Problem{Source: name, Path: section, Message: why})
		return
	}
	var whole any
	var root yaml.Node
	if yaml2.Unmarshal([]byte(value), &whole) != nil || yaml.Unmarshal([]byte(value), &root) != nil {
		d.Problems = append(d.Problems, Problem{Source: name, Path: path, Message: "is not YAML; put the value in quotes"})
		return
	}
	if own.null = whole == nil; len(root.Content) == 0 {
		return
	}
	if value := root.Content[0]; target != nil && target.Short && value.Kind == yaml.ScalarNode && !isNull(value) {
		own.path = join(path, value.Value) // REGISTRY_AUTH=none sets auth.none, and no other
	}
	c := &checker{source: name, places: map[string]int{}}
	c.check(target, root.Content[0], path, 0)
	own.places = c.places
	d.Problems = append(d.Problems, c.problems...)
}

// ignoredVariables refuses those that distribution's parser passes over: below a section of parameters that is in the file, or that
// another variable sets as a whole.
func (d *Document) ignoredVariables(data []byte) {
	var file any
	if yaml2.Unmarshal(data, &file) != nil {
		return // known already
	}
	for _, s := range d.env {
		steps := strings.Split(strings.ReplaceAll(s.path, "[", ".["), ".")
		if !slices.Contains([]string{"storage", "auth"}, steps[0]) && !within(s.path, "log.fields") {
			continue
		}
		if i := slices.IndexFunc(d.env, func(other setting) bool {
			return !other.null && len(strings.Split(other.path, ".")) > 2 && other.path != s.path && within(s.path, other.path)
		}); i >= 0 {
			d.Problems = append(d.Problems, Problem{Source: s.name, Path: s.path, Message: "has no effect, in distribution either, beside " +
				d.env[i].name + ", which sets all of " + d.env[i].path + "; set it there"})
			continue
		}
		at := file
		for i, step := range steps[:len(steps)-1] {
			section, _ := at.(map[any]any)
			at = section[step]
			_, isSection := at.(map[any]any)
			_, isList := at.([]any)
			if isList || isSection && i >= 2 {
				d.Problems = append(d.Problems, Problem{Source: s.name, Path: s.path, Message: "has no effect, in distribution either, where the file has " +
					strings.ReplaceAll(strings.Join(steps[:i+1], "."), ".[", "[") + "; set it there"})
				break
			}
		}
	}
}

// index matches the index of an element of a list.
var index = regexp.MustCompile(`\[(\d+)\]`)

// gaps refuses variables that set an element of a list and leave out one before it.
func (d *Document) gaps() {
	for _, s := range d.env {
		if slices.ContainsFunc(d.Problems, func(p Problem) bool { return p.Source == s.name }) {
			continue
		}
		if gap := d.gapBefore(s.path); gap != "" {
			d.Problems = append(d.Problems, Problem{Source: s.name, Path: s.path, Message: "leaves a gap: nothing sets " + gap + "; count the elements of a list from 0"})
		}
	}
}

// gapBefore returns the element of a list that would have to stand before the one that path is, or is in, or "" where nothing is
// missing.
func (d *Document) gapBefore(path string) string {
	for _, at := range index.FindAllStringSubmatchIndex(path, -1) {
		n, err := strconv.Atoi(path[at[2]:at[3]])
		if err != nil || n == 0 {
			continue
		}
		list := path[:at[0]]
		before := fmt.Sprintf("%s[%d]", list, n-1)
		_, inFile := d.places[before]
		if !inFile && !slices.ContainsFunc(d.env, func(s setting) bool {
			_, whole := s.places[list]
			return whole || s.path == list && !s.null || within(s.path, before)
		}) {
			return before
		}
	}
	return ""
}

// resolve follows the parts of a variable's name. Where the keys are not known, target is nil. After
// a failure, at is the deepest section that was reached, or nil where none was.
func (t *Tree) resolve(parts []string) (target *Node, path string, at *Node, ok bool) {
	n := t.root
	for i, part := range parts {
		switch {
		case n == nil || n.Kind == Map || n.Kind == Any:
			path = join(path, strings.ToLower(part))
			if n != nil {
				n = n.Elem
			}
		case n.Kind == List:
			if _, err := strconv.Atoi(part); err != nil {
				return nil, path, n, false
			}
			path += "[" + part + "]"
			n = n.Elem
		case n.Kind == Section:
			key, found := n.byEnv(part)
			if !found && !n.Open {
				if i == 0 {
					return nil, "", nil, false
				}
				return nil, path, n, false
			}
			if !found {
				key = strings.ToLower(part)
			}
			path = join(path, key)
			n = n.Keys[key]
		default:
			return nil, path, n, false
		}
	}
	return n, path, n, true
}

// byEnv returns the key that a part of a variable's name stands for.
func (n *Node) byEnv(part string) (string, bool) {
	for _, key := range n.Order {
		if n.Keys[key].envName(key) == part {
			return key, true
		}
	}
	return "", false
}

// unknownVariable judges one that sets nothing. One whose first part is a section, or that is a slip
// away from a variable that counts, was meant for the registry. Others belong to somebody else, as
// REGISTRY_USER in many a script, and are left alone with a warning.
func (d *Document) unknownVariable(name, rest string, at *Node) {
	near := nearestVariable(d.tree.root, strings.Split(rest, "_"))
	switch {
	case near != "":
		d.sayOf(name, false, "is unknown; did you mean %s?", prefix+near)
	case at == nil:
		d.sayOf(name, true, "sets nothing")
	case at.Kind == Section:
		d.sayOf(name, false, "is unknown; the next part can be %s", strings.Join(at.envNames(), ", "))
	case at.Kind == List:
		d.sayOf(name, false, "is unknown; the next part must be an index of the list, from 0")
	default:
		d.sayOf(name, false, "is unknown; the key before the last part has no keys of its own")
	}
}

func (n *Node) envNames() []string {
	var out []string
	for _, key := range n.names() {
		out = append(out, n.Keys[key].envName(key))
	}
	return out
}

// nearestVariable returns the variable, without the prefix, that parts were most likely meant
// to be: each part by itself is a slip away from one, or is a key of the file where variables
// use another name.
func nearestVariable(n *Node, parts []string) string {
	best, found := -1, ""
	var follow func(n *Node, i, total int, soFar []string)
	follow = func(n *Node, i, total int, soFar []string) {
		if i == len(parts) {
			whole := n == nil || n.Kind != Section && n.Kind != List && n.Kind != Map
			if whole && total > 0 && (best < 0 || total < best) {
				best, found = total, strings.Join(soFar, "_")
			}
			return
		}
		switch {
		case n == nil || n.Kind == Map || n.Kind == Any:
			best, found = near(best, total, found, append(slices.Clone(soFar), parts[i:]...))
		case n.Kind == List:
			if _, err := strconv.Atoi(parts[i]); err == nil {
				follow(n.Elem, i+1, total, append(slices.Clone(soFar), parts[i]))
			}
		case n.Kind == Section:
			for _, key := range n.names() {
				env := n.Keys[key].envName(key)
				d, isSlip := slip(parts[i], key, env)
				if isSlip {
					follow(n.Keys[key], i+1, total+d, append(slices.Clone(soFar), env))
				}
			}
		}
	}
	follow(n, 0, 0, nil)
	return found
}

// slip returns how far a part of a variable's name is from the one that stands for a key, and whether
// that is near enough. The key of the file in its place is one edit away.
func slip(part, key, env string) (edits int, near bool) {
	if part == env {
		return 0, true
	}
	if strings.ToUpper(key) == part {
		return 1, true
	}
	if nearest(part, []string{env}) == "" {
		return 0, false
	}
	return distance(part, env), true
}

func near(best, total int, found string, parts []string) (int, string) {
	if total > 0 && (best < 0 || total < best) {
		return total, strings.Join(parts, "_")
	}
	return best, found
}
