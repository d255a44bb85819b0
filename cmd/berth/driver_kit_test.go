package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/internal/kit"
)

// TestANewDriverIsBuiltAndConforms takes a project through all that its author does, with no edit.
func TestANewDriverIsBuiltAndConforms(t *testing.T) {
	t.Parallel()
	conformsAsNew(t, kit.Go)
}

func conformsAsNew(t *testing.T, l kit.Language) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my-store")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "new", "my-store", "--dir", dir, "--lang", string(l)}, "my-store: a driver in "+string(l), "berth driver build")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "test", dir}, "build it first, with 'berth driver build'")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "build", dir, "-o", "json"})
	var b built
	if err := json.Unmarshal(c.out.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, "registry-storage-my-store.wasm")
	if info, err := os.Stat(module); err != nil || b.File != module || b.Name != "my-store" || b.Bytes != info.Size() || len(b.SHA256) != 64 {
		t.Fatalf("want %s described, got %+v, %v", module, b, err)
	}
	t.Logf("%s: %d bytes in %d ms", l, b.Bytes, b.MS)
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "test", dir}, " passed, 0 failed, 0 skipped")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "trace", dir, "--", "put", "/a/b", "1000", ",", "get", "/a/b"},
		`put {"path":"/a/b","size":1000,`, " bytes: 1000  (", "answers {}  (", "put: put  (", `read {"path":"/a/b","len":-1}`, "get: 1000 bytes  (")
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "bench", dir, "--time", "20ms", "--size", "100000", "--parallel", "2", "-o", "json"})
	var r benchReport
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 6 || r.Instances != 1 || r.InstanceBytes == 0 {
		t.Errorf("want six operations on one instance with memory, got %+v", r)
	}
	for _, row := range r.Rows {
		if row.Driver.PerSecond <= 0 || row.Inmemory.PerSecond <= 0 || row.Ratio <= 0 || row.Driver.P99Micros < row.Driver.MedianMicros {
			t.Errorf("want figures, got %+v", row)
		}
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "bench", dir, "--time", "20ms", "--size", "100000"}, "OPERATION", "put of 1 KiB", "1 instances have ")
}

func TestProjectsThatAreNone(t *testing.T) {
	there := t.TempDir()
	if err := os.WriteFile(filepath.Join(there, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, kit.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, c := range []struct {
		args   []string
		status int
		text   string
	}{
		{[]string{"driver", "new", "x"}, statusUsage, "--lang is missing: rust, go, tinygo or c"},
		{[]string{"driver", "new", "x", "--lang", "cobol"}, statusUsage, `--lang: there is no language "cobol": it is one of rust, go, tinygo, c`},
		{[]string{"driver", "new", "Mine", "--lang", "go"}, statusUsage, `"Mine" cannot be a driver's name`},
		{[]string{"driver", "new", "mine", "--lang", "go", "--dir", there}, statusFailure, "is not empty: name a folder that is not there yet"},
		{[]string{"driver", "build", there}, statusNotFound, "there is no driver.yml"},
		{[]string{"driver", "build", wrong("name: x\nlanguage: cobol\n")}, statusUsage, `driver.yml: language: invalid argument: there is no language "cobol"`},
		{[]string{"driver", "build", wrong("name: x\nlang: go\n")}, statusUsage, "driver.yml: "},
		{[]string{"driver", "build", wrong("name: X\nlanguage: go\n")}, statusUsage, `driver.yml: name: invalid argument: "X" cannot be a driver's name`},
		{[]string{"driver", "build", wrong("name: x\nlanguage: c\npackage: .\n")}, statusUsage, "driver.yml: package: there are none in c"},
		{[]string{"driver", "build", wrong("name: x\nlanguage: go\ntarget: y\n")}, statusUsage, "driver.yml: target: go has but one"},
		{[]string{"driver", "build", wrong("name: x\nlanguage: go\ninclude: [y]\n")}, statusUsage, "driver.yml: include: there are no headers in go"},
		{[]string{"driver", "build", wrong("name: x\nlanguage: go\npackage: -toolexec=./x\n")}, statusUsage, `driver.yml: package: "-toolexec=./x" is no folder of the project`},
		{[]string{"driver", "build", wrong("name: x\nlanguage: rust\ntarget: ./x.json\n")}, statusUsage, `driver.yml: target: "./x.json" cannot be a target's name`},
		{[]string{"driver", "test", there}, statusNotFound, "there is no driver.yml"},
		{[]string{"driver", "trace", "inmemory", "--", "stat", "/"}, statusUsage, "inmemory is no .wasm file"},
		{[]string{"driver", "trace", "x.wasm", "stat", "/"}, statusUsage, "behind -- the operations"},
		{[]string{"driver", "trace", "x.wasm", "--", "jump", "/"}, statusUsage, `there is no operation "jump"`},
		{[]string{"driver", "trace", "x.wasm", "--", "move", "/a"}, statusUsage, "move /a: want move PATH TO"},
		{[]string{"driver", "trace", "x.wasm", "--", "put", "/a", "1x"}, statusUsage, `"1x": want a number of bytes`},
		{[]string{"driver", "trace", "x.wasm", "--", "put", "/a", "70000000"}, statusUsage, `"70000000": want a number of bytes, at most 67108864`},
		{[]string{"driver", "trace", "x.wasm", "--", "stat", "/", ","}, statusUsage, "an operation is missing"},
		{[]string{"driver", "bench", "inmemory", "--parallel", "0"}, statusUsage, "--parallel 1 to 1024"},
		{[]string{"driver", "bench", "nothere"}, statusNotFound, "nothere"},
	} {
		newConsole(t, nil).wantStatus(t, c.status, c.args, c.text)
	}
	if left, err := os.ReadDir(there); err != nil || len(left) != 1 {
		t.Errorf("want a folder that is not empty left alone, got %v, %v", left, err)
	}
}

// TestAMissingToolchainNamesThePackage runs with a PATH that has nothing.
func TestAMissingToolchainNamesThePackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for l, want := range map[kit.Language]string{
		kit.Rust: "cargo is not in PATH: install Rust 1.63 or later (Debian: apt-get install cargo rustc libstd-rust-dev-wasm32 lld", kit.Go: "go is not in PATH: install Go",
		kit.TinyGo: "tinygo is not in PATH: install TinyGo 0.34 or later", kit.C: "clang is not in PATH: install clang 14 or later (Debian: apt-get install clang lld)",
	} {
		dir := filepath.Join(t.TempDir(), "x")
		newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "new", "x", "--dir", dir, "--lang", string(l)})
		newConsole(t, nil).wantStatus(t, statusNotFound, []string{"driver", "build", dir}, want)
		if left, err := filepath.Glob(filepath.Join(dir, "*.wasm*")); err != nil || len(left) > 0 {
			t.Errorf("%s: want nothing left behind, got %v, %v", l, left, err)
		}
	}
}

// TestSourceThatDoesNotCompileShowsTheCompilersWords has them on standard error.
func TestSourceThatDoesNotCompileShowsTheCompilersWords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "new", "x", "--dir", dir, "--lang", "go"})
	if err := os.WriteFile(filepath.Join(dir, "driver.go"), []byte("package main\n\nbroken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, nil)
	if got := c.app.execute(t.Context(), []string{"driver", "build", dir}); got != statusUsage {
		t.Errorf("want status %d, got %d", statusUsage, got)
	}
	for _, text := range []string{"driver.go:3", "berth: build x: invalid argument: go build in " + dir} {
		if !strings.Contains(c.errors.String(), text) {
			t.Errorf("want %q, got %s", text, &c.errors)
		}
	}
}
