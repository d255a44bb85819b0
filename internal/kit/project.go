package kit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/berth-dev/storagedriver"
)

// Language is what a driver is written in.
type Language string

// The languages.
const (
	Rust   Language = "rust"
	Go     Language = "go"
	TinyGo Language = "tinygo"
	C      Language = "c"
)

// Languages returns all of them.
func Languages() []Language { return []Language{Rust, Go, TinyGo, C} }

// ParseLanguage returns the language with the name. Another is KindInvalidArgument.
func ParseLanguage(name string) (Language, error) {
	if l := Language(name); slices.Contains(Languages(), l) {
		return l, nil
	}
	names := make([]string, 0, len(Languages()))
	for _, l := range Languages() {
		names = append(names, string(l))
	}
	return "", storagedriver.Errorf(storagedriver.KindInvalidArgument, "there is no language %q: it is one of %s", name, strings.Join(names, ", "))
}

// FileName is the name of the file that says what a project is.
const FileName = "driver.yml"

// Project is a driver's source.
type Project struct {
	// Dir is its folder.
	Dir string `yaml:"-"`
	// Name is the driver's.
	Name string `yaml:"name"`
	// Language is what it is written in.
	Language Language `yaml:"language"`
	// Package is the main package, in Go and TinyGo: "." where it is empty.
	Package string `yaml:"package"`
	// Target is the compiler's, in Rust and TinyGo; empty is wasm32-unknown-unknown, and wasip1.
	Target string `yaml:"target"`
	// Include are folders of headers, in C, relative to Dir.
	Include []string `yaml:"include"`
	// Test is the section of a configuration with which the conformance suite opens the driver: parameters, allow, stores and the like.
	Test map[string]any `yaml:"test"`
}

// Read reads the project in the folder dir. One without a driver.yml is KindNotFound, one that says what it may not is KindInvalidArgument.
func Read(dir string) (*Project, error) {
	path := filepath.Join(dir, FileName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, storagedriver.Errorf(storagedriver.KindNotFound, "%s: there is no %s, which says what the driver in a folder is written in; 'berth driver new' makes one", dir, FileName)
	}
	if err != nil {
		return nil, err
	}
	p := &Project{Dir: dir}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil && !errors.Is(err, io.EOF) {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: %s", path, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	return p, p.check(path)
}

func (p *Project) check(path string) error {
	if _, err := ParseLanguage(string(p.Language)); err != nil {
		return storagedriver.WrapError("", "", path+": language", err)
	}
	switch {
	case !validName(p.Name):
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: name: %w", path, badName(p.Name))
	case p.Package != "" && p.Language != Go && p.Language != TinyGo:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: package: there are none in %s", path, p.Language)
	case p.Package != "" && p.Package != "." && !strings.HasPrefix(p.Package, "./"):
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: package: %q is no folder of the project: begin it with ./", path, p.Package)
	case strings.Trim(p.Target, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.HasPrefix(p.Target, "-"):
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: target: %q cannot be a target's name", path, p.Target)
	case p.Target != "" && p.Language != Rust && p.Language != TinyGo:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: target: %s has but one", path, p.Language)
	case len(p.Include) > 0 && p.Language != C:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: include: there are no headers in %s", path, p.Language)
	}
	return nil
}

// validName reports whether a driver that is written in any of the languages may be called name: a manifest takes it, and so does a crate's.
func validName(name string) bool {
	for i, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

func badName(name string) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%q cannot be a driver's name: it begins with a letter, and has lower-case letters, digits, - and _, at most 64", name)
}

// Module returns the path of the file that the project is built into, unless another is asked for. Drivers are found by its name.
func (p *Project) Module() string {
	return filepath.Join(p.Dir, "registry-storage-"+p.Name+".wasm")
}
