package berth_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tinyTarget is one of TinyGo's.
type tinyTarget struct {
	name, goos, goarch string
	tags               []string
	noClock            bool // its time stands still, and sleep returns at once
}

// tinyCheck reads packages as TinyGo does for a target, and says in found what it would not compile, or not run as meant.
type tinyCheck struct {
	target  tinyTarget
	newer   map[string]bool
	context build.Context
	files   *token.FileSet
	std     types.Importer
	known   map[string]*types.Package // ours
	found   []string

	exports, imports []string // of the SDK
}

func newTinyCheck(target tinyTarget, newer map[string]bool) *tinyCheck {
	c := &tinyCheck{target: target, newer: newer, context: build.Default, files: token.NewFileSet(), known: map[string]*types.Package{}}
	c.context.GOOS, c.context.GOARCH, c.context.BuildTags, c.context.CgoEnabled = target.goos, target.goarch, target.tags, true
	c.context.ReleaseTags = nil
	for minor := range tinyGoMinor {
		c.context.ReleaseTags = append(c.context.ReleaseTags, "go1."+strconv.Itoa(minor+1))
	}
	c.std = importer.ForCompiler(c.files, "source", nil)
	return c
}

// Import implements types.Importer.
func (c *tinyCheck) Import(path string) (*types.Package, error) {
	if p := c.known[path]; p != nil {
		return p, nil
	}
	if !slices.Contains(tinyImports, path) {
		return nil, fmt.Errorf("%q is not to be imported", path)
	}
	return c.std.Import(path)
}

func (c *tinyCheck) say(at token.Pos, format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf("%s: %s", c.files.Position(at), fmt.Sprintf(format, args...)))
}

// pkg checks the package in dir.
func (c *tinyCheck) pkg(path, dir string, sdk bool) {
	p, err := c.context.ImportDir(dir, 0)
	if err != nil {
		c.say(token.NoPos, "%s: %v", path, err)
		return
	}
	if others := slices.Concat(p.SFiles, p.CFiles, p.CXXFiles, p.SysoFiles); len(others) > 0 {
		c.say(token.NoPos, "%s has files in other languages: %q", path, others)
	}
	var syntax []*ast.File
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		f, err := parser.ParseFile(c.files, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			c.say(token.NoPos, "%v", err)
			return
		}
		syntax = append(syntax, f)
		c.file(f, sdk)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{
		Importer: c, GoVersion: "go1." + strconv.Itoa(tinyGoMinor), Sizes: types.SizesFor("gc", "arm"), // 32 bits, as wasm has with TinyGo
		Error: func(err error) { c.found = append(c.found, err.Error()) },
	}
	c.known[path], _ = config.Check(path, c.files, syntax, info) // its errors are found
	c.uses(info)
}

// file checks what is seen without types.
func (c *tinyCheck) file(f *ast.File, sdk bool) {
	for _, i := range f.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if c.known[path] == nil && !slices.Contains(tinyImports, path) {
			c.say(i.Pos(), "imports %q, which is not among what TinyGo is known to compile and a guest needs", path)
		}
	}
	for _, group := range f.Comments {
		for _, line := range group.List {
			words := strings.Fields(line.Text)
			switch words[0] {
			case "//go:linkname":
				c.say(line.Pos(), "go:linkname")
			case "//go:wasmexport":
				c.exports = append(c.exports, words[1])
			case "//go:wasmimport":
				c.imports = append(c.imports, words[1]+" "+words[2])
			default:
				continue
			}
			if !sdk {
				c.say(line.Pos(), "%s is for the SDK alone", words[0])
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.say(n.Pos(), "a goroutine, which needs a scheduler")
		case *ast.SelectStmt:
			c.say(n.Pos(), "select, which needs a scheduler")
		case *ast.ChanType:
			c.say(n.Pos(), "a channel, which needs a scheduler")
		}
		return true
	})
}

// needScheduler and needClock are what of package time is more than arithmetic.
var (
	needScheduler = []string{"time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker", "sync.WaitGroup.Wait", "sync.Cond.Wait"}
	needClock     = []string{"time.Now", "time.Since", "time.Until", "time.Sleep"}
)

// uses checks what is used of other packages.
func (c *tinyCheck) uses(info *types.Info) {
	for id, object := range info.Uses {
		if b, ok := object.(*types.Builtin); ok && b.Name() == "recover" {
			c.say(id.Pos(), "recover, which TinyGo has not for wasm")
		}
		if object.Pkg() != nil && c.known[object.Pkg().Path()] == nil {
			c.use(id, object.Pkg().Path()+"."+memberOf(object)+object.Name())
		}
	}
	for selector, s := range info.Selections {
		if s.Kind() == types.FieldVal && s.Obj().Pkg() != nil && c.known[s.Obj().Pkg().Path()] == nil {
			c.use(selector.Sel, s.Obj().Pkg().Path()+"."+typeName(s.Recv())+s.Obj().Name())
		}
	}
}

func (c *tinyCheck) use(id *ast.Ident, symbol string) {
	switch {
	case c.newer[symbol]:
		c.say(id.Pos(), "%s is newer than Go 1.%d", symbol, tinyGoMinor)
	case slices.Contains(needScheduler, symbol):
		c.say(id.Pos(), "%s needs a scheduler", symbol)
	case c.target.noClock && slices.Contains(needClock, symbol):
		c.say(id.Pos(), "%s is not for %s, whose time stands still: the Call has Now and Sleep", symbol, c.target.name)
	}
}

// memberOf returns what is before a method's name: its type and a dot.
func memberOf(object types.Object) string {
	if f, ok := object.(*types.Func); ok {
		if r := f.Signature().Recv(); r != nil {
			return typeName(r.Type())
		}
	}
	return ""
}

func typeName(t types.Type) string {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name() + "."
	}
	return ""
}

// apiLine is a line of the lists that come with Go, api/go1.N.txt: "pkg strings, func SplitSeq(string, string) iter.Seq[string]",
// "pkg sync, method (*WaitGroup) Go(func())", "pkg os, type Root struct", "pkg net/http, type Server struct, HTTP2 *HTTP2Config".
var apiLine = regexp.MustCompile(`^pkg ([a-z0-9/]+)(?: \([^)]*\))?, (?:method \(\*?(\w+)(?:\[[^\]]*\])?\) (\w+)|type (\w+)(?:\[[^\]]*\])? (?:struct|interface), (\w+)|(?:func|type|const|var) (\w+))`)

// newerSymbols returns the symbols of the standard library, as package.Name or package.Type.Name, that came after the Go that TinyGo's floor compiles.
func newerSymbols(t *testing.T) map[string]bool {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env GOROOT: %v", err)
	}
	lists, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "api", "go1.*.txt"))
	if err != nil || len(lists) < tinyGoMinor {
		t.Fatalf("%d lists of symbols in GOROOT/api, %v: this test needs a whole Go distribution", len(lists), err)
	}
	old, newer := map[string]bool{}, map[string]bool{}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		into := old
		if minor, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(list), "go1."), ".txt")); err == nil && minor > tinyGoMinor {
			into = newer
		}
		for _, line := range strings.Split(string(text), "\n") {
			if m := apiLine.FindStringSubmatch(line); m != nil {
				into[symbolOf(m)] = true
			}
		}
	}
	for symbol := range old {
		delete(newer, symbol)
	}
	for _, symbol := range []string{"strings.SplitSeq", "sync.WaitGroup.Go"} {
		if !newer[symbol] {
			t.Fatalf("the lists of symbols in GOROOT/api do not have %s as newer than Go 1.%d", symbol, tinyGoMinor)
		}
	}
	return newer
}

func symbolOf(m []string) string {
	switch {
	case m[3] != "":
		return m[1] + "." + m[2] + "." + m[3]
	case m[5] != "":
		return m[1] + "." + m[4] + "." + m[5]
	}
	return m[1] + "." + m[6]
}
