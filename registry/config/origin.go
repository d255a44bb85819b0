package config

import (
	"fmt"
	"strings"
)

// Origin is where a value comes from.
type Origin struct {
	// Variable is the name of a variable of the environment, or empty.
	Variable string `json:"variable,omitempty"`
	// File and Line are the place in a file, or empty and 0.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// String is "config.yml:12", "REGISTRY_HTTP_ADDR" or "default".
func (o Origin) String() string {
	switch {
	case o.Variable != "":
		return o.Variable
	case o.File != "":
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return "default"
}

// origin returns where the value at path comes from: the last variable that sets it or a section
// around it, or else the file. isSet is false for what nobody set.
func (d *Document) origin(path string) (o Origin, isSet bool) {
	line, inFile := d.places[path]
	for _, s := range d.env {
		if within(path, s.path) {
			o, isSet = Origin{Variable: s.name}, true
		}
	}
	if !isSet && inFile {
		o, isSet = Origin{File: d.Name, Line: line}, true
	}
	return o, isSet
}

// nearestOrigin is the origin of path or of the closest section around it.
func (d *Document) nearestOrigin(path string) Origin {
	for {
		if o, ok := d.origin(path); ok {
			return o
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return Origin{File: d.Name}
		}
		path = path[:i]
	}
}

// within reports whether path is section or below it.
func within(path, section string) bool {
	rest, ok := strings.CutPrefix(path, section)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// isSetWithin reports whether anything at or below path was set.
func (d *Document) isSetWithin(path string) bool {
	for place := range d.places {
		if within(place, path) {
			return true
		}
	}
	for _, s := range d.env {
		if within(s.path, path) || within(path, s.path) {
			return true
		}
	}
	return false
}
