package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/internal/wasmbuild"
)

// still is a guest that answers describe and open with the same bytes, and everything
// else with other bytes or, when that is not 0, with dispatch's result.
type still struct {
	version  uint32
	reply    []byte
	other    []byte
	result   uint64
	imports  [][]byte
	funcs    byte   // how many of the imports are functions
	without  string // an export left out
	dispatch byte   // index of the type of dispatch; 0 is the right one
	memory   []byte
}

const (
	i32 = 0x7f
	i64 = 0x7e
)

func signed(n uint64) []byte { // LEB128 of an i64.const
	var b []byte
	v := int64(n)
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func (g still) build() []byte {
	const replyAt, bufferAt, otherAt = 1024, 8192, 32768
	n := g.funcs
	body := func(code ...byte) []byte {
		f := append(append([]byte{0}, code...), 0x0b)
		return append(wasmbuild.LEB(len(f)), f...)
	}
	konst := func(op byte, v uint64) []byte { return append([]byte{op}, signed(v)...) }
	result := g.result
	if result == 0 {
		result = otherAt<<32 | uint64(len(g.other))
	}
	// local.get 0; i32.const 2; i32.lt_u; if (result i64) ... else ... end
	dispatchBody := body(wasmbuild.Cat([]byte{0x20, 0, 0x41, 2, 0x49, 0x04, i64}, konst(0x42, replyAt<<32|uint64(len(g.reply))),
		[]byte{0x05}, konst(0x42, result), []byte{0x0b})...)
	if g.dispatch != 0 {
		dispatchBody = body(konst(0x41, 0)...)
	}
	var exports [][]byte
	for i, name := range []string{abi.ExportABI, abi.ExportAlloc, abi.ExportFree, abi.ExportDispatch} {
		if name != g.without {
			exports = append(exports, wasmbuild.Cat(wasmbuild.Str(name), []byte{0, n + byte(i)}))
		}
	}
	if g.without != abi.ExportMemory {
		exports = append(exports, wasmbuild.Cat(wasmbuild.Str(abi.ExportMemory), []byte{2, 0}))
	}
	memory := g.memory
	if memory == nil {
		memory = []byte{0, 1}
	}
	return wasmbuild.Module(
		wasmbuild.Section(1, wasmbuild.Vec([]byte{0x60, 3, i32, i32, i32, 1, i64}, []byte{0x60, 0, 1, i32}, []byte{0x60, 1, i32, 1, i32}, []byte{0x60, 2, i32, i32, 0}, []byte{0x60, 3, i32, i32, i32, 1, i32})),
		wasmbuild.Section(2, wasmbuild.Vec(g.imports...)),
		wasmbuild.Section(3, wasmbuild.Vec([]byte{1}, []byte{2}, []byte{3}, []byte{g.dispatch})),
		wasmbuild.Section(5, wasmbuild.Vec(memory)),
		wasmbuild.Section(7, wasmbuild.Vec(exports...)),
		wasmbuild.Section(10, wasmbuild.Vec(body(konst(0x41, uint64(g.version))...), body(konst(0x41, bufferAt)...), body(), dispatchBody)),
		wasmbuild.Section(11, wasmbuild.Vec(wasmbuild.Cat([]byte{0}, konst(0x41, replyAt), []byte{0x0b}, wasmbuild.LEB(len(g.reply)), g.reply),
			wasmbuild.Cat([]byte{0}, konst(0x41, otherAt), []byte{0x0b}, wasmbuild.LEB(len(g.other)), g.other))),
	)
}

func described(manifest string) []byte {
	b, err := abi.Append(nil, &abi.DescribeReply{Manifest: []byte(manifest)})
	if err != nil {
		panic(err)
	}
	return b
}

func TestModulesThatAreNoDrivers(t *testing.T) {
	good := still{version: abi.Version, reply: described(`{"name":"still"}`)}
	importing := func(module, name string, rest ...byte) still {
		g := good
		g.imports = [][]byte{wasmbuild.Cat(wasmbuild.Str(module), wasmbuild.Str(name), rest)}
		if rest[0] == 0 {
			g.funcs = 1
		}
		return g
	}
	with := func(change func(*still)) []byte { g := good; change(&g); return g.build() }
	for _, c := range []struct {
		name  string
		wasm  []byte
		parts []string
	}{
		{"empty", nil, []string{"not a WebAssembly module"}},
		{"text", []byte("#!/bin/sh\necho"), []string{"not a WebAssembly module", "guest SDKs"}},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), []string{"component"}},
		{"cut", good.build()[:60], []string{"malformed module"}},
		{"too large", make([]byte, abi.MaxModule+1), []string{"67108864 bytes"}},
		{"no dispatch", with(func(g *still) { g.without = "dispatch" }), []string{`"dispatch"`, "does not export"}},
		{"no memory", with(func(g *still) { g.without = "memory" }), []string{`"memory"`}},
		{"other dispatch", with(func(g *still) { g.dispatch = 4 }), []string{`"dispatch"`, "(i32, i32, i32) -> i64"}},
		{"other major", with(func(g *still) { g.version = 2 << 16 }), []string{"ABI 2.0", "1.0", "rebuild"}},
		{"older major", with(func(g *still) { g.version = 7 }), []string{"ABI 0.7"}},
		{"newer minor", with(func(g *still) { g.version = 1<<16 | 1 }), []string{"ABI 1.1", "newer Berth"}},
		{"unknown import", importing("berth", "sockets", 0, 1).build(), []string{`"berth.sockets"`}},
		{"foreign import", importing("env", "now", 0, 1).build(), []string{`"env.now"`}},
		{"import of another type", importing("berth", "now", 0, 1).build(), []string{`"berth.now"`, "() -> i32", "() -> i64"}},
		{"imported memory", importing("env", "memory", 2, 0, 1).build(), []string{`memory "env.memory"`}},
		{"imported global", importing("env", "g", 3, i32, 0).build(), []string{`global "env.g"`}},
		{"much memory", with(func(g *still) { g.memory = []byte{0, 0x80, 0x80, 1} }), []string{"1073741824 bytes of memory", "268435456"}},
		{"shared memory", with(func(g *still) { g.memory = []byte{3, 1, 2} }), []string{"shared"}},
		{"bad code", bytes.Replace(good.build(), []byte{0x41, 0x80, 0xc0, 0x00, 0x0b}, []byte{0x42, 0x80, 0xc0, 0x00, 0x0b}, 1), []string{"invalid"}},
		{"no manifest", with(func(g *still) { g.reply = []byte{0x80} }), []string{"manifest"}},
		{"bad name", with(func(g *still) { g.reply = described(`{"name":"A B"}`) }), []string{"name"}},
		{"bad schema", with(func(g *still) { g.reply = described(`{"name":"a","schema":{"type":"object"}}`) }), []string{"additionalProperties"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := runtime.Compile(t.Context(), "dir/some.wasm", c.wasm, runtime.Config{})
			if m != nil {
				t.Fatal("it was loaded")
			}
			wantKind(t, err, storagedriver.KindInvalidArgument, append(c.parts, "dir/some.wasm")...)
		})
	}
	_, err := runtime.Compile(t.Context(), "some.wasm", with(func(g *still) { g.reply = []byte{0xc1} }), runtime.Config{})
	wantKind(t, err, storagedriver.KindGuest, "some.wasm", "describe")
}

func TestFilesThatAreMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "webdav.wasm")
	_, err := runtime.Load(t.Context(), path, runtime.Config{})
	wantKind(t, err, storagedriver.KindNotFound, path, "build the driver")
	if err := os.WriteFile(path, still{version: abi.Version, reply: described(`{"name":"still"}`)}.build(), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := runtime.Load(t.Context(), path, runtime.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestConfigurationsThatAreNone(t *testing.T) {
	wasm := still{version: abi.Version, reply: described(`{"name":"still"}`)}.build()
	for _, cfg := range []runtime.Config{{Allow: egress.Origins("127.0.0.1:80")}, {MemoryLimit: 1}, {MemoryLimit: 1 << 40}, {MaxInstances: -1}, {IdleTimeout: -1}} {
		_, err := runtime.Compile(t.Context(), "still.wasm", wasm, cfg)
		wantKind(t, err, storagedriver.KindInvalidArgument)
	}
	open := filepath.Join(t.TempDir(), "cache")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := runtime.Compile(t.Context(), "still.wasm", wasm, runtime.Config{CacheDir: open})
	if err == nil || !strings.Contains(err.Error(), "may be written to by others") {
		t.Errorf("a cache that others may write to: %v", err)
	}
}

func TestOpeningThatFails(t *testing.T) {
	s := newStore(t)
	m := load(t, runtime.Config{Allow: egress.Origins(s.URL)})
	for name, c := range map[string]struct {
		params map[string]any
		kind   storagedriver.Kind
		parts  []string
	}{
		"unknown": {map[string]any{"endpoint": s.URL, "colour": "red"}, storagedriver.KindInvalidArgument, []string{`"colour"`, "allowed: chunksize, endpoint"}},
		"missing": {nil, storagedriver.KindInvalidArgument, []string{`"endpoint"`}},
		"bad":     {map[string]any{"endpoint": s.URL, "chunksize": "1000"}, storagedriver.KindInvalidArgument, []string{`"chunksize"`, "from 1 to 100"}},
		"refused": {map[string]any{"endpoint": s.URL, "openfails": "no", "password": "geheim-geheim"}, storagedriver.KindPermission, []string{"no (secret)"}},
	} {
		_, err := m.Open(t.Context(), c.params)
		t.Run(name, func(t *testing.T) { wantKind(t, err, c.kind, c.parts...) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Open(ctx, map[string]any{"endpoint": s.URL})
	wantKind(t, err, storagedriver.KindCanceled)
	if got := m.Stats().Instances; got != 0 {
		t.Errorf("%d instances are left", got)
	}
}

func TestInfoDescribesTheModule(t *testing.T) {
	m := load(t, runtime.Config{MemoryLimit: 100 << 20})
	info := m.Info()
	if info.Manifest.Name != "exercise" || !slices.Equal(info.Manifest.Hosts, []string{"{endpoint}"}) || len(info.SHA256) != 64 || info.MemoryMax != 100<<20 || info.MemoryMin == 0 {
		t.Errorf("%+v", info)
	}
	for _, want := range []string{"berth.call (i32, i32, i32, i32, i32) -> i64", "wasi_snapshot_preview1.proc_exit (i32) -> ()"} {
		if !slices.Contains(info.Imports, want) {
			t.Errorf("%q is not among the imports %q", want, info.Imports)
		}
	}
	if !slices.Contains(info.Exports, "dispatch (i32, i32, i32) -> i64") || !slices.Contains(info.Exports, "memory memory") {
		t.Errorf("exports %q", info.Exports)
	}
}

func TestOneInstanceIsKept(t *testing.T) {
	m, err := runtime.Compile(t.Context(), "still.wasm", still{version: abi.Version, reply: described(`{"name":"still","instances":1}`), other: []byte{0x80}}.build(), runtime.Config{IdleInstanceTime: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, err := d.Stat(context.Background(), "/a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := m.Stats(); got.Instances != 1 || got.ByOp["open"] != 1 {
		t.Errorf("%+v", got)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestInstancesAreLimitedAndShrink(t *testing.T) {
	d, _, m := open(t, runtime.Config{MaxInstances: 3, MaxIdleInstances: 2, IdleInstanceTime: 50 * time.Millisecond}, nil)
	g := gated{in: new(counter), n: 4, gate: make(chan struct{})} // opens with the fourth, which there is no instance for
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if err := d.Put(context.Background(), fmt.Sprint("/", i), g); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "three calls run", func() bool { return g.in.Load() == 3 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.Stat(ctx, "/echo")
	wantKind(t, err, storagedriver.KindDeadline)
	if got := m.Stats().Instances; got != 3 {
		t.Errorf("%d instances", got)
	}
	close(g.gate)
	wg.Wait()
	if got := m.Stats().Instances; got > 2 {
		t.Errorf("%d idle instances", got)
	}
	eventually(t, "idle instances are closed", func() bool { return m.Stats().Instances == 0 })
	if _, err := d.Stat(t.Context(), "/echo"); err != nil {
		t.Error(err)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	d, s, _ := open(t, runtime.Config{MaxInstances: 8}, nil)
	content := unique(150_000)
	s.set("/big", content)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			for j := range 6 {
				path := fmt.Sprintf("/%d-%d", i, j)
				if err := caller(d, path, i+j, content); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
	wg.Wait()
}

// caller does one of the things that callers do, some of them rude.
func caller(d storagedriver.Backend, path string, n int, content []byte) error {
	ctx := context.Background()
	switch n % 5 {
	case 0:
		if err := d.Put(ctx, path, storagedriver.BytesSource(content)); err != nil {
			return err
		}
		e, err := d.Stat(ctx, path)
		if err == nil && e.Size != int64(len(content)) {
			err = fmt.Errorf("size %d", e.Size)
		}
		return err
	case 1:
		var got bytes.Buffer
		r, _, err := d.Read(ctx, "/big", 10, -1)
		if err != nil {
			return err
		}
		if _, err := got.ReadFrom(r); err != nil || !bytes.Equal(got.Bytes(), content[10:]) {
			return fmt.Errorf("%d bytes, %w", got.Len(), err)
		}
		return r.Close()
	case 2: // closes early
		r, _, err := d.Read(ctx, "/big", 0, -1)
		if err != nil {
			return err
		}
		return r.Close()
	case 3:
		if _, err := d.Stat(ctx, "/hostile/garbage"); storagedriver.KindOf(err) != storagedriver.KindGuest {
			return fmt.Errorf("a guest failure came as %w", err)
		}
		return nil
	default:
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := d.Stat(ctx, path); storagedriver.KindOf(err) != storagedriver.KindCanceled {
			return fmt.Errorf("a cancelled call came as %w", err)
		}
		return nil
	}
}

// FuzzReply gives every operation whatever a guest might answer.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"\x80", "\x81\xa3err\x81\xa4kind\x01", "\x82\xa4body\x01\xa3len\x05", "\x82\xa4data\xc4\x01x\xa3len\x01",
		"\x81\xa7entries\x91\x81\xa4name\xa1a", "\x81\xa5token\xa1t", "\x81\xa3url\xa8http://a", "\xc1", ""} {
		f.Add([]byte(s), uint64(0))
	}
	f.Add([]byte{}, uint64(0xffff0000<<32|4096))
	open := described(`{"name":"still","abilities":["copy","move","concat","parts","list-tree","redirect","delete-tree","list-uploads"]}`)
	open[0]++ // it answers open as well
	open = append(open, "\xa4caps\xcd\x3f\xff"...)
	f.Fuzz(func(t *testing.T, reply []byte, result uint64) {
		if len(reply) > 4096 {
			return
		}
		m, err := runtime.Compile(t.Context(), "fuzz.wasm", still{version: abi.Version, reply: open, other: reply, result: result}.build(),
			runtime.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		d, err := m.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		everyOperation(t, d)
		if n := m.Stats().OpenBodies; n != 0 {
			t.Fatalf("%d bodies", n)
		}
	})
}

// everyOperation runs all of them; what they answer is the guest's affair.
func everyOperation(t *testing.T, d storagedriver.Backend) {
	ctx, body := t.Context(), storagedriver.BytesSource("body")
	_, _ = d.Stat(ctx, "/a")
	_, _ = d.List(ctx, "/a", "x", 5)
	_, _ = d.ListTree(ctx, "/a", "", "", 5)
	_, _ = d.ListUploads(ctx, "/a", "x", 5)
	if r, n, err := d.Read(ctx, "/a", 3, 5); err == nil {
		if got, err := io.ReadAll(r); err != nil || int64(len(got)) != n || n > 5 {
			t.Errorf("a read of %d bytes gave %d, %v", n, len(got), err)
		}
		_ = r.Close()
	}
	_ = d.Put(ctx, "/a", body)
	_ = d.Delete(ctx, "/a")
	_ = d.DeleteTree(ctx, "/a")
	_ = d.Copy(ctx, "/a", "/b")
	_ = d.Move(ctx, "/a", "/b")
	_ = d.Concat(ctx, "/a", []string{"/b"})
	if url, err := d.Redirect(ctx, "/a", storagedriver.RedirectOptions{}); err == nil && url != "" {
		t.Errorf("a redirect to %q, and nothing is allowed", url)
	}
	_, _ = d.OpenUpload(ctx, "/a", true)
	_, _ = d.PutPart(ctx, "t", storagedriver.Part{Number: 1, Body: body})
	_ = d.SuspendUpload(ctx, "t", nil, body)
	_ = d.CommitUpload(ctx, "t", nil, body)
	_ = d.CancelUpload(ctx, "t")
	_ = d.AbortUploads(ctx, "/a")
}
