package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/engine/wazero"
	"github.com/berth-dev/storagedriver/runtime/internal/wasmbuild"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const i32, i64 = 0x7f, 0x7e

// adder imports env.host (i32) -> (i64), exports memory, run (i32) -> (i32), trap and grow.
func adder() []byte {
	return wasmbuild.Module(
		wasmbuild.Section(1, wasmbuild.Vec([]byte{0x60, 1, i32, 1, i64}, []byte{0x60, 1, i32, 1, i32}, []byte{0x60, 0, 0})),
		wasmbuild.Section(2, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.Str("env"), wasmbuild.Str("host"), []byte{0, 0}))),
		wasmbuild.Section(3, wasmbuild.Vec([]byte{1}, []byte{2}, []byte{1})),
		wasmbuild.Section(5, wasmbuild.Vec([]byte{1, 1, 10})),
		wasmbuild.Section(7, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.Str("memory"), []byte{2, 0}), wasmbuild.Cat(wasmbuild.Str("run"), []byte{0, 1}), wasmbuild.Cat(wasmbuild.Str("trap"), []byte{0, 2}), wasmbuild.Cat(wasmbuild.Str("grow"), []byte{0, 3}))),
		wasmbuild.Section(10, wasmbuild.Vec(
			wasmbuild.Cat(wasmbuild.LEB(7), []byte{0, 0x20, 0, 0x10, 0, 0xa7, 0x0b}), // i32.wrap(host(x))
			wasmbuild.Cat(wasmbuild.LEB(3), []byte{0, 0x00, 0x0b}),                   // unreachable
			wasmbuild.Cat(wasmbuild.LEB(6), []byte{0, 0x20, 0, 0x40, 0, 0x0b}),       // memory.grow(x)
		)))
}

var errHost = errors.New("the host says no")

func newEngine(t *testing.T, cfg engine.Config) engine.Engine {
	t.Helper()
	cfg.Functions = []engine.HostFunc{{Module: "env", Name: "host", Type: engine.FuncType{Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I64}},
		Call: func(_ context.Context, mem engine.Memory, stack []uint64) {
			if uint32(stack[0]) == 13 {
				panic(errHost)
			}
			if _, ok := mem.Read(65530, 10); ok {
				panic(errors.New("a view beyond memory"))
			}
			stack[0] = 0xdead_0000_0000_0001 + stack[0]
		}}}
	if cfg.MemoryPages == 0 {
		cfg.MemoryPages = 5
	}
	e, err := wazero.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := e.MappedBytes(); n != 0 {
			t.Errorf("%d bytes left mapped", n)
		}
	})
	return e
}

func instantiate(t *testing.T, e engine.Engine) engine.Instance {
	t.Helper()
	c, err := e.Compile(t.Context(), adder())
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.Instantiate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return in
}

func TestCallsGoBothWays(t *testing.T) {
	in := instantiate(t, newEngine(t, engine.Config{}))
	stack := []uint64{41}
	if err := in.Func("run").Call(t.Context(), stack); err != nil || stack[0] != 42 {
		t.Errorf("%#x, %v; want 42 with a clear upper half", stack[0], err)
	}
	if in.Func("nothing") != nil {
		t.Error("a function that is not there")
	}
}

func TestTraps(t *testing.T) {
	in := instantiate(t, newEngine(t, engine.Config{}))
	err := in.Func("trap").Call(t.Context(), make([]uint64, 1))
	var trap *engine.Trap
	if !errors.As(err, &trap) || trap.Reason != "unreachable" || !strings.Contains(trap.Stack, "$2") {
		t.Errorf("%#v", err)
	}
	err = in.Func("run").Call(t.Context(), []uint64{13})
	if !errors.As(err, &trap) || !errors.Is(err, errHost) || trap.Reason != errHost.Error() {
		t.Errorf("%#v", err)
	}
}

func TestMemoryIsLimitedAndCounted(t *testing.T) {
	e := newEngine(t, engine.Config{MemoryPages: 5})
	in := instantiate(t, e)
	if n := e.MappedBytes(); n != engine.PageSize {
		t.Errorf("%d bytes mapped at first", n)
	}
	grow := func(n uint64) uint32 {
		stack := []uint64{n}
		if err := in.Func("grow").Call(t.Context(), stack); err != nil {
			t.Fatal(err)
		}
		return uint32(stack[0])
	}
	if got := grow(4); got != 1 {
		t.Errorf("growing by 4 answered %d", got)
	}
	if got := grow(1); got != 0xffffffff {
		t.Errorf("growing past the limit answered %d", got)
	}
	if n := e.MappedBytes(); n != 5*engine.PageSize {
		t.Errorf("%d bytes mapped", n)
	}
	view, ok := in.Memory().Read(5*engine.PageSize-1, 1)
	if !ok {
		t.Fatal("the last byte cannot be read")
	}
	view[0] = 1
	if _, ok := in.Memory().Read(5*engine.PageSize, 1); ok {
		t.Error("a byte beyond the memory")
	}
	if _, ok := in.Memory().Read(0xffffffff, 0xffffffff); ok {
		t.Error("a range that wraps")
	}
}

func TestTheCacheIsPrivate(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "new", "cache")
	if _, err := newEngine(t, engine.Config{CacheDir: dir}).Compile(t.Context(), adder()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o777, 0o770, 0o702} {
		if err := os.Chmod(open, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := wazero.New(t.Context(), engine.Config{CacheDir: open}); err == nil || !strings.Contains(err.Error(), "may be written to by others") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for _, bad := range []string{file, link} {
		if _, err := wazero.New(t.Context(), engine.Config{CacheDir: bad}); err == nil {
			t.Errorf("%s was taken for a directory", bad)
		}
	}
}

func TestInspect(t *testing.T) {
	s, err := engine.Inspect(adder())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Imports, s.Exports, *s.Memory); got != "[{env host function (i32) -> i64}] [{memory memory () -> ()} {run function (i32) -> i32} {trap function () -> ()} {grow function (i32) -> i32}] {1 10 true}" {
		t.Error(got)
	}
	for _, bad := range [][]byte{nil, []byte("\x7fELF1234"), []byte("\x00asm\x0d\x00\x01\x00"), []byte("\x00asm\x02\x00\x00\x00")} {
		if _, err := engine.Inspect(bad); !errors.Is(err, engine.ErrNotWasm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	whole := adder()
	for n := 9; n < len(whole); n++ {
		_, _ = engine.Inspect(whole[:n]) // must not panic; a cut at a section's end is well-formed
	}
	shared := wasmbuild.Module(wasmbuild.Section(5, wasmbuild.Vec([]byte{3, 1, 2})))
	if _, err := engine.Inspect(shared); err == nil {
		t.Error("a shared memory was admitted")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(adder())
	f.Add(wasmbuild.Module(wasmbuild.Section(5, wasmbuild.Vec([]byte{0, 1})), wasmbuild.Section(1, []byte{0xff, 0xff, 0xff, 0xff, 0x0f})))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := engine.Inspect(b)
		if (s == nil) == (err == nil) {
			t.Fatal(s, err)
		}
	})
}
