//go:build servers

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/internal/kit"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// sourceFile is a file of a project, whose lines are known by what is in them.
type sourceFile struct {
	path, name, text string
}

func readSource(t *testing.T, dir, name string) *sourceFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return &sourceFile{filepath.Join(dir, name), name, string(text)}
}

// insert puts text behind what is in the file once.
func (f *sourceFile) insert(t *testing.T, behind, text string) {
	t.Helper()
	if n := strings.Count(f.text, behind); n != 1 {
		t.Fatalf("%s has %q %d times", f.name, behind, n)
	}
	f.text = strings.Replace(f.text, behind, behind+text, 1)
	if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// at names the one line that has the text.
func (f *sourceFile) at(t *testing.T, text string) string {
	t.Helper()
	before, _, found := strings.Cut(f.text, text)
	if !found || strings.Count(f.text, text) != 1 {
		t.Fatalf("%s has no one line with %q", f.name, text)
	}
	return fmt.Sprintf("at %s:%d", f.name, strings.Count(before, "\n")+1)
}

// wantLine demands a line of the trace that begins and, but for times, ends so.
func wantLine(t *testing.T, traced, begin, end string) {
	t.Helper()
	for l := range strings.SplitSeq(traced, "\n") {
		l, _, _ = strings.Cut(l, "  (")
		if strings.HasPrefix(l, begin) && strings.HasSuffix(l, end) {
			return
		}
	}
	t.Errorf("want a line %q ... %q, got\n%s", begin, end, traced)
}

// TestTracesOfRustNameLines has host calls, a panic and a trap in an author's source be shown where they are: by a module that is compiled, by one
// from the cache, and by one of which nothing is kept.
func TestTracesOfRustNameLines(t *testing.T) {
	t.Parallel()
	dir := newProject(t, "mine", kit.Rust)
	source := readSource(t, dir, "src/lib.rs")
	source.insert(t, "fn stat(&mut self, _: &Call, path: &str) -> Result<Entry> {\n", `        match path {
            "/index" => return Ok(Entry::file("", [1u64, 2][path.len()], Time::UNKNOWN)),
            "/depth" => return Ok(Entry::file("", deep(path.len() as u64), Time::UNKNOWN)),
            _ => {}
        }
`)
	source.insert(t, "berth_guest::export!(manifest, open);\n", `
#[allow(unconditional_recursion)]
fn deep(n: u64) -> u64 {
    let local = [n; 64];
    deep(local[n as usize % 64] + 1) + local[0]
}
`)
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "build", dir, "--debug"}, "mine.debug.wasm: mine ")
	read, index, depth := source.at(t, "body.read_all("), source.at(t, "[path.len()]"), source.at(t, "deep(local[")

	cache := map[string]string{cacheVariable: t.TempDir()}
	for _, how := range []string{"compiled", "from the cache"} {
		c := newConsole(t, cache)
		if got := c.app.execute(t.Context(), []string{"driver", "trace", dir, "--", "put", "/a", "1000", ",", "stat", "/index", ",", "stat", "/depth"}); got != statusFailure {
			t.Fatalf("%s: want status %d, got %d: %s", how, statusFailure, got, &c.errors)
		}
		traced := c.out.String()
		wantLine(t, traced, "[2]   read 0x", read)
		wantLine(t, traced, `[2]   fd_write 2 "panic: index out of bounds`, index)
		wantLine(t, traced, "[2]   traps: unreachable", "")
		wantLine(t, traced, "        "+index, "")
		wantLine(t, traced, "[3]   traps: out of bounds memory access", "")
		if n := strings.Count(traced, "\n        "+depth+"\n"); n < 10 {
			t.Errorf("%s: want the stack of a recursion, got %q %d times in\n%s", how, depth, n, traced)
		}
	}

	module := filepath.Join(dir, "mine.debug.wasm")
	kept := t.TempDir()
	for _, c := range []struct {
		name, cache string
		lines       int // of a transcript
	}{{"not kept", "", 1}, {"without a transcript", kept, 0}, {"kept without lines", kept, 1}, {"kept with lines", kept, 1}} {
		recorded := filepath.Join(t.TempDir(), "trace")
		record, err := trace.Create(recorded, trace.Options{Lines: c.lines, Sources: c.lines > 0})
		if err != nil {
			t.Fatal(err)
		}
		stack := stackOfFailure(t, module, "/index", runtime.Config{CacheDir: c.cache, Record: record})
		if got := strings.Contains(stack, "\n  "+index+"\n"); got != (c.lines > 0) || !strings.Contains(stack, "berth_guest") {
			t.Errorf("%s: want functions, and %q: %v, got\n%s", c.name, index, c.lines > 0, stack)
		}
		if err := record.Close(); err != nil {
			t.Fatal(err)
		}
		newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "replay", module, recorded}, "recorded failures that happened again: 1")
	}
}

// stackOfFailure is that of a guest that fails to Stat path.
func stackOfFailure(t *testing.T, module, path string, cfg runtime.Config) string {
	t.Helper()
	m, err := runtime.Load(t.Context(), module, cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Stat(t.Context(), path)
	var failure *runtime.GuestError
	if !errors.As(err, &failure) {
		t.Fatalf("want a guest failure, got %v", err)
	}
	if err := errors.Join(b.Close(), m.Close(context.Background())); err != nil {
		t.Error(err)
	}
	return failure.Stack
}

func TestTracesOfCNameLines(t *testing.T) {
	t.Parallel()
	dir := newProject(t, "mine", kit.C)
	source := readSource(t, dir, "main.c")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "build", dir, "--debug"}, "mine.debug.wasm: mine ")
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "trace", dir, "--", "put", "/a", "1000"})
	wantLine(t, c.out.String(), "[2]   read 0x", source.at(t, "berth_read_full("))
}

func TestADebugBuildNeedsTheProfile(t *testing.T) {
	t.Parallel()
	dir := newProject(t, "mine", kit.Rust)
	manifest := filepath.Join(dir, "Cargo.toml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(text), "[profile.trace]", "[profile.other]", 1)
	if err := os.WriteFile(manifest, []byte(without), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, nil)
	if got := c.app.execute(t.Context(), []string{"driver", "build", dir, "--debug"}); got != statusUsage {
		t.Errorf("want status %d, got %d", statusUsage, got)
	}
	want := "berth: build mine: invalid argument: " + manifest + ` has no profile trace: add [profile.trace] with inherits = "release", debug = 1 and strip = "none"` + "\n"
	if !strings.HasSuffix(c.errors.String(), want) {
		t.Errorf("want %q at the end, got %q", want, &c.errors)
	}
}
