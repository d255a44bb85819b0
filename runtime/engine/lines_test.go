package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/engine/wazero"
	"github.com/berth-dev/storagedriver/runtime/internal/wasmbuild"
)

// Where the code of adder is in its section: the call of the host in run, the whole of run, and that of trap.
const (
	callAt, callEnd = 5, 7
	runAt, runEnd   = 1, 9
	trapAt, trapEnd = 9, 13
)

// program writes a line program: rows of an address, a file's number and a line. A row with the file 0 ends a sequence.
func program(rows ...[3]int) []byte {
	var b []byte
	line := 1
	for _, r := range rows {
		b = wasmbuild.Cat(b, []byte{0, 5, 2}, word(r[0])) // set_address
		if r[1] == 0 {
			b, line = append(b, 0, 1, 1), 1 // end_sequence
			continue
		}
		b = wasmbuild.Cat(b, []byte{4, byte(r[1]), 3}, sleb(r[2]-line), []byte{1}) // set_file, advance_line, copy
		line = r[2]
	}
	return b
}

func word(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func sized(b []byte) []byte { return append(word(len(b)), b...) }

// debugSections are the DWARF of adder, compiled in the folder dir: run is of an SDK's file, with a call of it inlined in src/lib.rs:12, and trap is of src/lib.rs:40.
func debugSections(dir string) []byte {
	const text, address, data1, data4, offset = 0x08, 0x01, 0x0b, 0x06, 0x17
	abbrev := []byte{
		1, 0x11, 1, 0x03, text, 0x1b, text, 0x10, offset, 0x11, address, 0x12, data4, 0, 0, // a unit: name, folder, lines, from, size
		2, 0x2e, 1, 0x03, text, 0x11, address, 0x12, data4, 0, 0, // a function
		3, 0x1d, 0, 0x11, address, 0x12, data4, 0x58, data1, 0x59, data1, 0, 0, // what was inlined: from, size, file, line
		0,
	}
	info := sized(wasmbuild.Cat([]byte{4, 0}, word(0), []byte{4},
		[]byte{1}, []byte("lib.rs\x00"+dir+"\x00"), word(0), word(runAt), word(trapEnd-runAt),
		[]byte{2}, []byte("run\x00"), word(runAt), word(runEnd-runAt),
		[]byte{3}, word(callAt), word(callEnd-callAt), []byte{1, 12},
		[]byte{3}, word(0), word(runEnd), []byte{1, 99}, // left out by the linker
		[]byte{0, 0}))
	header := []byte("\x01\x01\x01\xfb\x0e\x0d\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + // as LLVM has it
		"src\x00sdk/src\x00/rustc/core\x00\x00" + "lib.rs\x00\x01\x00\x00" + "sys.rs\x00\x02\x00\x00" + "num.rs\x00\x03\x00\x00" + "\x00")
	lines := sized(wasmbuild.Cat([]byte{4, 0}, sized(header), program(
		[3]int{trapAt, 1, 40}, [3]int{trapEnd}, // not in the order of addresses
		[3]int{runAt, 3, 5}, [3]int{callAt, 2, 7}, [3]int{callEnd, 1, 13}, [3]int{runEnd},
		[3]int{0, 1, 98}, [3]int{callAt, 1, 98}, [3]int{runEnd}, // left out
	)))
	custom := func(name string, b []byte) []byte {
		return wasmbuild.Section(0, append(wasmbuild.Str(name), b...))
	}
	return wasmbuild.Cat(custom(".debug_abbrev", abbrev), custom(".debug_info", info), custom(".debug_line", lines))
}

func TestLinesOfAStack(t *testing.T) {
	lines := engine.NewLines(append(adder(), debugSections("/home/me/driver")...))
	if lines == nil {
		t.Fatal("the module has debug information, and none was found")
	}
	for _, c := range []struct {
		name    string
		offsets []uint64
		source  string
		first   []string
	}{
		{"a call of the SDK's that was inlined", []uint64{callAt}, "src/lib.rs:12", []string{"sdk/src/sys.rs:7", "src/lib.rs:12"}},
		{"a line", []uint64{callEnd}, "src/lib.rs:13", []string{"src/lib.rs:13"}},
		{"its caller, behind the standard library", []uint64{runAt, trapAt}, "src/lib.rs:40", []string{"/rustc/core/num.rs:5"}},
		{"nobody's but the standard library's", []uint64{runAt}, "/rustc/core/num.rs:5", []string{"/rustc/core/num.rs:5"}},
		{"no code", []uint64{trapEnd}, "", []string{}},
		{"a function without lines below one with them", []uint64{0, trapAt}, "src/lib.rs:40", []string{}},
		{"nothing", []uint64{0}, "", []string{}},
	} {
		stack := lines.Stack(c.offsets)
		if got := stack.Source(); got != c.source {
			t.Errorf("%s: want it made in %q, got %q", c.name, c.source, got)
		}
		if got := stack.Function(0); !slices.Equal(got, c.first) {
			t.Errorf("%s: want the innermost function at %q, got %q", c.name, c.first, got)
		}
	}
}

func TestModulesWithoutLines(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"no debug information": adder(),
		"another section":      append(adder(), wasmbuild.Section(0, append(wasmbuild.Str("name"), 1))...),
		"half of it":           append(adder(), wasmbuild.Section(0, append(wasmbuild.Str(".debug_info"), 1, 2, 3))...),
	} {
		if engine.NewLines(wasm) != nil {
			t.Errorf("%s: want no lines", name)
		}
	}
}

// lined is an instance of wasm in an engine that names its lines, and tells source of those that host calls are made in.
func lined(t *testing.T, wasm []byte, cache string, lines *engine.Lines, source func(context.Context, string)) engine.Instance {
	t.Helper()
	e, err := wazero.New(t.Context(), engine.Config{MemoryPages: 5, CacheDir: cache, Lines: lines, Source: source,
		Functions: []engine.HostFunc{{Module: "env", Name: "host", Type: engine.FuncType{Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I64}},
			Call: func(_ context.Context, _ engine.Memory, stack []uint64) {
				if uint32(stack[0]) == 13 {
					panic(errHost)
				}
			}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil { // with what it has compiled and instantiated
			t.Error(err)
		}
	})
	compiled, err := e.Compile(t.Context(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	in, err := compiled.Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// trapIn calls a function of the instance and wants a trap.
func trapIn(t *testing.T, in engine.Instance, function string) *engine.Trap {
	t.Helper()
	var trap *engine.Trap
	if err := in.Func(function).Call(t.Context(), []uint64{13}); !errors.As(err, &trap) {
		t.Fatalf("%s: want a trap, got %v", function, err)
	}
	return trap
}

// TestTheEngineNamesLines compiles the module, has another engine take it from the cache, and has one know no lines that was given none.
func TestTheEngineNamesLines(t *testing.T) {
	wasm := append(adder(), debugSections("/home/me/driver")...)
	cache := t.TempDir()
	const inHost, inTrap = "\n  at sdk/src/sys.rs:7\n  at src/lib.rs:12", "\n  at src/lib.rs:40"
	calls := []string{"src/lib.rs:12", "src/lib.rs:12"}
	for _, c := range []struct {
		name, cache string
		lines       *engine.Lines
		host, trap  string // below the last function of a stack
		sources     []string
	}{
		{"not kept", "", engine.NewLines(wasm), inHost, inTrap, calls},
		{"kept", filepath.Join(cache, "lines"), engine.NewLines(wasm), inHost, inTrap, calls},
		{"from the cache", filepath.Join(cache, "lines"), engine.NewLines(wasm), inHost, inTrap, calls},
		{"no lines", filepath.Join(cache, "plain"), nil, "", "", nil},
	} {
		var sources []string
		in := lined(t, wasm, c.cache, c.lines, func(_ context.Context, at string) { sources = append(sources, at) })
		if err := in.Func("run").Call(t.Context(), []uint64{41}); err != nil {
			t.Error(err)
		}
		for function, want := range map[string][2]string{"run": {"env.host(i32) i64\n.$1(i32) i32", c.host}, "trap": {".$2()", c.trap}} {
			trap := trapIn(t, in, function)
			wantSources := ""
			if c.lines != nil {
				wantSources = want[0] + want[1]
			}
			if trap.Stack != want[0] || trap.Sources != wantSources {
				t.Errorf("%s: %s: want the stack %q and %q, got %q and %q", c.name, function, want[0], wantSources, trap.Stack, trap.Sources)
			}
		}
		if !slices.Equal(sources, c.sources) {
			t.Errorf("%s: want host calls made in %q, got %q", c.name, c.sources, sources)
		}
	}
}

// TestLinesOfNoFile has a stack written of debug information that the engine's own reader cannot bear.
func TestLinesOfNoFile(t *testing.T) {
	wasm := bytes.Replace(append(adder(), debugSections("/home/me/driver")...), []byte{4, 2, 3}, []byte{4, 9, 3}, 1)
	source := "none"
	in := lined(t, wasm, "", engine.NewLines(wasm), func(_ context.Context, at string) { source = at })
	trap := trapIn(t, in, "run")
	if want := "its debug information makes no sense"; !strings.Contains(trap.Reason, want) {
		t.Errorf("want %q, got %q", want, trap.Reason)
	}
	if source != "src/lib.rs:12" {
		t.Errorf("want the line that the call was inlined in, got %q", source)
	}
}

func FuzzLines(f *testing.F) {
	wasm := append(adder(), debugSections("/home/me/driver")...)
	f.Add(wasm, uint64(callAt))
	f.Add(wasm, uint64(trapAt))
	f.Fuzz(func(t *testing.T, wasm []byte, offset uint64) {
		if len(wasm) < 8 {
			return
		}
		if lines := engine.NewLines(wasm); lines != nil {
			stack := lines.Stack([]uint64{offset, 0})
			if source := stack.Source(); source != "" && len(stack.Function(0))+len(stack.Function(1)) == 0 {
				t.Fatalf("%q is of no function", source)
			}
		}
	})
}
