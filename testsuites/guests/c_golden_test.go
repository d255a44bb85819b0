//go:build servers

package guests

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/abi"
)

// cSDK is the folder of berth.h.
const cSDK = "../../guest-sdk/c"

// cVector is one of abi/testdata/messages.json.
type cVector struct {
	Name, Op, Dir, Hex string
	Value              map[string]any
}

func cVectors(t *testing.T) []cVector {
	t.Helper()
	text, err := os.ReadFile("../../abi/testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []cVector
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// cProgram compiles guest-sdk/c/golden_test.c for this machine, with the sanitizers that its compiler has.
func cProgram(t *testing.T, flags ...string) string {
	t.Helper()
	for _, source := range []string{"berth.h", "golden_test.c", "testdata/host.h", "testdata/heap.h", "testdata/hostile.h"} {
		if _, err := os.ReadFile(filepath.Join(cSDK, source)); err != nil { // so that go test knows what a cached result is of
			t.Fatal(err)
		}
	}
	compiler := ""
	for _, name := range []string{"gcc", "clang", "cc"} {
		if path, err := exec.LookPath(name); err == nil && compiler == "" {
			compiler = path
		}
	}
	if compiler == "" {
		t.Fatal("want a C compiler, gcc or clang, in PATH: the tests of guest-sdk/c are compiled for this machine")
	}
	out := filepath.Join(t.TempDir(), "golden_test")
	args := append([]string{"-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic", "-o", out}, flags...)
	args = append(args, filepath.Join(cSDK, "golden_test.c"))
	sanitized, err := exec.Command(compiler, append([]string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, args...)...).CombinedOutput()
	if err == nil {
		return out
	}
	if text, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", compiler, err, text)
	}
	t.Logf("%s has no sanitizers, so that reads and writes out of bounds are found only where they crash: %s", compiler, sanitized)
	return out
}

// runC runs the program on the vectors and returns what it printed.
func runC(t *testing.T, program, mode string, vectors []cVector) string {
	t.Helper()
	var in bytes.Buffer
	for _, v := range vectors {
		fmt.Fprintf(&in, "vector %s %s %s\n", v.Dir, v.Op, v.Hex)
		for _, line := range flattened(v.Value) {
			fmt.Fprintln(&in, line)
		}
		fmt.Fprintln(&in, "end")
	}
	cmd := exec.CommandContext(t.Context(), program, mode)
	cmd.Stdin = &in
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("golden_test %s: %v\n%s", mode, err, complaint.Bytes())
	}
	return out.String()
}

// flattened writes a message's value as lines, "KEY i NUMBER" and "KEY s HEX", sorted; lists have their count as well, and KEY.N for an item.
func flattened(value map[string]any) []string {
	var lines []string
	var add func(key string, v any)
	add = func(key string, v any) {
		switch v := v.(type) {
		case json.Number:
			lines = append(lines, key+" i "+v.String())
		case bool:
			lines = append(lines, key+" i 1")
		case string:
			b := []byte(v)
			if name := key[strings.LastIndexByte(key, '.')+1:]; slices.Contains([]string{"manifest", "params", "data", "state", "stream", "tail", "sha256", "bytes", "version"}, name) {
				b, _ = base64.StdEncoding.DecodeString(v)
			}
			lines = append(lines, key+" s "+hex.EncodeToString(b))
		case []any:
			lines = append(lines, key+" i "+strconv.Itoa(len(v)))
			for i, item := range v {
				add(key+"."+strconv.Itoa(i), item)
			}
		case map[string]any:
			if key == "digests" {
				v = named(v)
				lines = append(lines, key+" i "+strconv.Itoa(len(v)))
			}
			for k, item := range v {
				add(strings.TrimPrefix(key+"."+k, "."), item)
			}
		}
	}
	add("", value)
	slices.Sort(lines)
	return lines
}

// named makes a list of digests, sorted by name, of a map.
func named(digests map[string]any) map[string]any {
	var names []string
	for name := range digests {
		names = append(names, name)
	}
	slices.Sort(names)
	list := map[string]any{}
	for i, name := range names {
		list[strconv.Itoa(i)] = map[string]any{"name": name, "bytes": digests[name]}
	}
	return list
}

// TestCGolden has berth.h read every request to a guest, and every reply of the host, and write every other message, as the vectors have them.
func TestCGolden(t *testing.T) {
	t.Parallel()
	vectors := cVectors(t)
	answers := strings.Split(runC(t, cProgram(t), "golden", vectors), "end\n")
	if again := runC(t, cProgram(t, "-DBERTH__REPLY=0u"), "golden", vectors); again != strings.Join(answers, "end\n") {
		t.Errorf("want the same with replies that wait for take, got\n%s", again)
	}
	if len(answers) != len(vectors)+1 {
		t.Fatalf("want %d answers, got %d", len(vectors), len(answers)-1)
	}
	host := map[string]abi.HostOp{}
	for op := range abi.HostOp(abi.NumHostOps) {
		host[op.String()] = op
	}
	for i, v := range vectors {
		t.Run(v.Dir+"/"+v.Op+"/"+v.Name, func(t *testing.T) {
			op, asked := host[v.Op]
			var want []string
			if (v.Dir == "request") == asked {
				want = []string{"hex s " + v.Hex} // the SDK writes it
			} else {
				want = slices.DeleteFunc(flattened(v.Value), func(line string) bool { return strings.HasSuffix(line, " i 0") })
			}
			if asked && op != 0 {
				want = append(want, fmt.Sprintf("op i %d", op))
			}
			slices.Sort(want)
			got := strings.Split(strings.TrimSuffix(answers[i], "\n"), "\n")
			got = slices.DeleteFunc(got, func(line string) bool { return line == "" })
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("want\n%s\ngot\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
			}
		})
	}
}

// TestCHostile feeds berth.h every cut of every message, and each of its bytes changed in twenty ways, in memory of just that size.
func TestCHostile(t *testing.T) {
	t.Parallel()
	// Every allocation of a call is one of its own, so that the sanitizer sees the end of each.
	out := runC(t, cProgram(t, "-DBERTH__CHUNK=8u", "-DBERTH__REPLY=0u"), "hostile", cVectors(t))
	if fed, err := strconv.Atoi(strings.TrimSpace(out)); err != nil || fed < 10_000 {
		t.Errorf("want thousands of messages fed, got %q", out)
	}
}

// TestCHeap has the allocator give out and take back memory of all sizes, at random, and looks whether it stays whole and small.
func TestCHeap(t *testing.T) {
	t.Parallel()
	t.Log(runC(t, cProgram(t), "heap", nil))
}
