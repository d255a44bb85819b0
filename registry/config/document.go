package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/sirupsen/logrus"
	yaml2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// Document is a configuration that was read, with all that is wrong with it.
type Document struct {
	// Name is the file's.
	Name string
	// Config is nil when it could not be made. It is to be used only when Err is nil.
	Config *configuration.Configuration
	// Problems are sorted: the file's by line, then those of variables by name.
	Problems []Problem

	tree   *Tree
	places map[string]int // keys that the file sets, and their lines
	env    []setting      // in the order in which they are applied
	value  any            // Config as plain maps and lists
}

// Read reads a configuration, and the REGISTRY_* variables of this process, which override
// it as distribution has them do. name is what problems call the file. It fails only when r does:
// what is wrong with the configuration is in the Document.
func (t *Tree) Read(r io.Reader, name string) (*Document, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	d := &Document{Name: name, tree: t, places: map[string]int{}}
	root, ok := d.parse(data)
	if ok {
		c := &checker{source: name, isFile: true, places: d.places}
		c.check(t.root, root, "", 0)
		d.Problems = append(d.Problems, c.problems...)
		d.environment(os.Environ())
		d.build(data)
	}
	sortProblems(d.Problems, name)
	return d, nil
}

// Err returns the problems that are no warnings as one line, or nil. It is KindInvalidArgument.
func (d *Document) Err() error { return errorOf(d.Problems) }

// ErrWithin is Err for those who use the sections given and nothing else: what is wrong in others does
// not stop them. It is Err where the configuration could not be made at all.
func (d *Document) ErrWithin(sections ...string) error {
	if d.Config == nil {
		return d.Err()
	}
	return errorOf(slices.DeleteFunc(slices.Clone(d.Problems), func(p Problem) bool {
		return p.Path != "" && !slices.ContainsFunc(sections, func(section string) bool { return within(p.Path, section) })
	}))
}

func (d *Document) say(line int, path, format string, args ...any) {
	d.Problems = append(d.Problems, Problem{Source: d.Name, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

// yamlLine finds the line in an error of the YAML library.
var yamlLine = regexp.MustCompile(`line (\d+): `)

// parse returns the root of the file. distribution's own library decides whether it is YAML, which
// it is in version 1.1; the other one knows lines.
func (d *Document) parse(data []byte) (*yaml.Node, bool) {
	var whole any
	var root yaml.Node
	err := yaml2.Unmarshal(data, &whole)
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err == nil {
		err = decoder.Decode(&root)
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0:
		d.say(0, "", "is empty; it needs at least version and storage")
		return nil, false
	case err != nil:
		d.notYAML(err)
		return nil, false
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		d.say(top.Line, "", "is no map; it needs at least version and storage")
		return nil, false
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) && !(err == nil && (len(second.Content) == 0 || isNull(second.Content[0]))) {
		d.say(second.Line, "", "holds a second document, which is not read; keep one")
	}
	if !hasKey(top, "version") {
		d.say(0, "version", "is missing; write version: 0.1")
	}
	return top, true
}

// notYAML notes an error of a YAML library.
func (d *Document) notYAML(err error) {
	line, text := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits, or 0
		text = strings.Replace(text, m[0], "", 1)
	}
	d.say(line, "", "is not YAML: %s", text)
}

func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key || n.Content[i].Value == "<<" {
			return true
		}
	}
	return false
}

// build has distribution's parser make the configuration, and applies the rules. What the parser
// refuses is known already where there are problems.
func (d *Document) build(data []byte) {
	before := len(d.Problems)
	d.ignoredVariables(data) // first: the parser panics on some of them
	d.gaps()
	known := d.Err() != nil
	defer func() {
		// The parser panics on several drivers, and where a variable points into what is no section.
		if p := recover(); p != nil {
			d.Config = nil
			d.parserSays(known, fmt.Sprint(p))
		}
	}()
	if !d.isSetWithin("storage") {
		d.say(0, "storage", "is missing; name a driver, for example filesystem")
		return
	}
	c, err := parseQuietly(data)
	if err != nil {
		d.parserSays(known, err.Error())
		return
	}
	d.Config = c
	for name, parameters := range c.Storage {
		if n := d.tree.root.at("storage").Keys[name]; n != nil && parameters != nil {
			n.lists(map[string]any(parameters))
		}
	}
	d.value = plain(reflect.ValueOf(*c))
	d.rules()
	// A rule has nothing to add to what is wrong with a value by itself.
	d.Problems = slices.Concat(d.Problems[:before], slices.DeleteFunc(slices.Clone(d.Problems[before:]), func(p Problem) bool {
		return slices.ContainsFunc(d.Problems[:before], func(q Problem) bool { return q.Source == p.Source && q.Path == p.Path })
	}))
}

// parseQuietly is distribution's parser without its warnings about variables, which are problems of the Document.
func parseQuietly(data []byte) (*configuration.Configuration, error) {
	level := logrus.GetLevel()
	logrus.SetLevel(logrus.ErrorLevel)
	defer logrus.SetLevel(level)
	return configuration.Parse(bytes.NewReader(data))
}

// parserSays notes what distribution's parser refused the whole for.
func (d *Document) parserSays(known bool, text string) {
	switch {
	case known:
	case text == "no storage configuration provided":
		d.refuse("storage", "names no driver; name one, for example filesystem")
	default:
		d.say(0, "", "with the REGISTRY_* variables of the environment: %s", text)
	}
}
