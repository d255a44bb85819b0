package berth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TinyGo's floor: the first release that has go:wasmexport, 0.34, compiles Go up to 1.23.
const tinyGoMinor = 23

// tinyTargets are what drivers are compiled for with TinyGo: the targets' tags and systems as its targets/*.json of 0.33 and 0.34 have them.
var tinyTargets = []tinyTarget{
	{name: "wasip1", goos: "wasip1", goarch: "wasm", tags: []string{"tinygo", "tinygo.wasm", "purego", "scheduler.none"}},
	{name: "wasm-unknown", goos: "linux", goarch: "arm", tags: []string{"tinygo", "tinygo.wasm", "purego", "scheduler.none", "wasm_unknown"}, noClock: true},
}

// tinyModules are those that claim to be compiled by TinyGo, with their packages in the order of their imports. The SDK is before all of them.
var tinyModules = []struct {
	dir      string
	packages []string
}{
	{"../../examples/webdav", []string{".", "guest"}},
	{"../../examples/worm", []string{".", "guest"}},
	{"../../examples/go-memory", []string{"."}},
}

const sdkPath = "github.com/berth-dev/storagedriver/guest-sdk/go"

// tinyImports are the packages that may be imported: TinyGo's page "Packages supported by TinyGo" has them as importable (Go 1.23, TinyGo
// 0.34). What that page has and this list has not is left out for its size or for what it
// needs of the runtime: fmt, encoding/json, encoding/xml and text/template work by reflection, os, net and log have nothing below them here,
// context and os/signal are for goroutines. net/http is not importable at all.
var tinyImports = strings.Fields(`
	bufio bytes cmp container/heap container/list encoding/base32 encoding/base64 encoding/binary encoding/hex errors hash hash/adler32 hash/crc32
	hash/crc64 hash/fnv io iter maps math math/bits path runtime slices sort strconv strings structs sync sync/atomic time
	unicode unicode/utf16 unicode/utf8 unsafe`)

func TestTinyGoCanCompileTheSDKAndTheExamples(t *testing.T) {
	newer := newerSymbols(t)
	for _, target := range tinyTargets {
		t.Run(target.name, func(t *testing.T) {
			c := newTinyCheck(target, newer)
			c.pkg(sdkPath, ".", true)
			for _, m := range tinyModules {
				path := "github.com/berth-dev/storagedriver/" + strings.TrimPrefix(m.dir, "../../")
				for _, p := range m.packages {
					c.pkg(joinPath(path, p), filepath.Join(m.dir, p), false)
				}
			}
			for _, found := range c.found {
				t.Error(found)
			}
			wantExports, wantImports := []string{"abi", "alloc", "dispatch", "free"}, []string{
				"berth call", "berth close", "berth log", "berth now", "berth random", "berth read", "berth splice", "berth take", "berth write",
			}
			if target.noClock {
				wantImports = append(wantImports, "wasi_snapshot_preview1 poll_oneoff")
			}
			if slices.Sort(c.exports); !slices.Equal(c.exports, wantExports) {
				t.Errorf("the SDK exports %q, not %q", c.exports, wantExports)
			}
			if slices.Sort(c.imports); !slices.Equal(c.imports, wantImports) {
				t.Errorf("the SDK imports %q, not %q", c.imports, wantImports)
			}
		})
	}
}

func joinPath(path, name string) string {
	if name == "." {
		return path
	}
	return path + "/" + name
}

var goDirective = regexp.MustCompile(`(?m)^go 1\.(\d+)(\.\d+)?$`)

func TestTinyGoAcceptsTheGoDirectives(t *testing.T) {
	for _, dir := range append([]string{"."}, tinyDirs()...) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		m := goDirective.FindSubmatch(text)
		if m == nil || len(m[1]) != 2 || string(m[1]) > "23" || strings.Contains(string(text), "\ntoolchain ") {
			t.Errorf("%s/go.mod: want a go directive of at most 1.%d and no toolchain, got\n%s", dir, tinyGoMinor, text)
		}
	}
}

func tinyDirs() (dirs []string) {
	for _, m := range tinyModules {
		dirs = append(dirs, m.dir)
	}
	return dirs
}

// TestTheTinyGoCheckFindsWhatTinyGoHasNot proves that the check above can fail.
func TestTheTinyGoCheckFindsWhatTinyGoHasNot(t *testing.T) {
	newer := newerSymbols(t)
	for _, c := range []struct{ name, source, want string }{
		{"nothing", "import \"strings\"\nvar x = strings.ToUpper(\"\")", ""},
		{"reflection", "import \"fmt\"\nvar x = fmt.Sprint()", `imports "fmt"`},
		{"HTTP", "import _ \"net/http\"", `imports "net/http"`},
		{"another module", "import _ \"example.com/other\"", `imports "example.com/other"`},
		{"cgo", "import \"C\"", `imports "C"`},
		{"a function of Go 1.24", "import \"strings\"\nvar x = strings.SplitSeq(\"\", \"\")", "strings.SplitSeq is newer than Go 1.23"},
		{"a method of Go 1.25", "import \"sync\"\nfunc f() { var g sync.WaitGroup; g.Go(func() {}) }", "sync.WaitGroup.Go is newer than Go 1.23"},
		{"the language of Go 1.26", "var x = new(1 + 1)", "requires go1.26 or later"},
		{"an int of 64 bits", "var x int = 1 << 40", "overflows"},
		{"a goroutine", "func f() { go f() }", "a goroutine"},
		{"select", "func f() { select {} }", "select"},
		{"a channel", "func f(c chan int) { c <- 1 }", "a channel"},
		{"recover", "func f() { defer func() { recover() }() }", "recover"},
		{"linkname", "import _ \"unsafe\"\n//go:linkname f runtime.f\nfunc f()", "go:linkname"},
		{"the time", "import \"time\"\nvar x = time.Now()", "time.Now is not for wasm-unknown"},
		{"sleep", "import \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep is not for wasm-unknown"},
		{"a timer", "import \"time\"\nvar x = time.After(1)", "time.After needs a scheduler"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte("package x\n\n"+c.source+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			check := newTinyCheck(tinyTargets[1], newer)
			check.pkg("x", dir, false)
			found := strings.Join(check.found, "\n")
			if c.want == "" && found != "" || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
