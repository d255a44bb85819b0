package engine_test

import (
	"bytes"
	"testing"

	wz "github.com/tetratelabs/wazero"

	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/internal/wasmbuild"
)

// segment is an active segment at a constant address.
func segment(at int, content string) []byte {
	return wasmbuild.Cat([]byte{0, 0x41}, sleb(at), []byte{0x0b}, wasmbuild.Str(content))
}

// sleb encodes a number that is signed in the binary format.
func sleb(n int) []byte {
	var b []byte
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// withData has two pages of memory that it exports, and the sections.
func withData(sections ...[]byte) []byte {
	return wasmbuild.Module(append([][]byte{
		wasmbuild.Section(5, wasmbuild.Vec([]byte{0, 2})),
		wasmbuild.Section(7, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.Str("memory"), []byte{2, 0}))),
	}, sections...)...)
}

func data(segments ...[]byte) []byte { return wasmbuild.Section(11, wasmbuild.Vec(segments...)) }

const pages = 2 * engine.PageSize

// TestDataBecomeAnImage compares the memory of instances with what the module itself, in an
// engine that nobody prepared it for, makes of it.
func TestDataBecomeAnImage(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"none":             withData(),
		"no segments":      withData(data()),
		"one":              withData(data(segment(100, "hello"))),
		"several":          withData(data(segment(70_000, "far"), segment(0, "first"), segment(5, "next"))),
		"overlapping":      withData(data(segment(10, "0123456789"), segment(12, "ab"), segment(8, "xyz"))),
		"empty ones":       withData(data(segment(pages, ""), segment(7, ""))),
		"up to the end":    withData(data(segment(pages-3, "end"))),
		"passive":          withData(data(segment(1, "a"), wasmbuild.Cat([]byte{1}, wasmbuild.Str("passive")))),
		"counted":          withData(wasmbuild.Section(12, []byte{1}), data(segment(1, "a"))),
		"explicit memory":  withData(data(wasmbuild.Cat([]byte{2, 0, 0x41, 3, 0x0b}, wasmbuild.Str("memory 0")))),
		"custom afterward": withData(data(segment(1, "a")), wasmbuild.Section(0, append(wasmbuild.Str("note"), 1))),
	} {
		t.Run(name, func(t *testing.T) {
			plain := wz.NewRuntime(t.Context())
			defer plain.Close(t.Context())
			mod, err := plain.Instantiate(t.Context(), wasm)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := mod.Memory().Read(0, pages)
			compiled, err := newEngine(t, engine.Config{}).Compile(t.Context(), wasm)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second does not see what the first has written
				in, err := compiled.Instantiate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, ok := in.Memory().Read(0, pages)
				if !ok || !bytes.Equal(got, want) {
					t.Errorf("the memory is not what the module says")
				}
				for i := range got {
					got[i] = 0xff
				}
				if err := in.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestDataThatStay(t *testing.T) {
	taken := withData(data(segment(3, "abc")))
	if rest, image := engine.SplitData(taken); string(image) != "\x00\x00\x00abc" || !bytes.Equal(rest, withData()) {
		t.Errorf("want the data taken out, got %q and %x", image, rest)
	}
	for name, wasm := range map[string][]byte{
		"passive":                withData(data(wasmbuild.Cat([]byte{1}, wasmbuild.Str("p")))),
		"counted":                withData(wasmbuild.Section(12, []byte{1}), data(segment(1, "a"))),
		"beyond the memory":      withData(data(segment(pages-1, "ab"))),
		"a negative address":     withData(data(segment(-1, "ab"))),
		"an address in a global": withData(data(wasmbuild.Cat([]byte{0, 0x23, 0, 0x0b}, wasmbuild.Str("g")))),
		"a large image":          wasmbuild.Module(wasmbuild.Section(5, wasmbuild.Vec(wasmbuild.Cat([]byte{0}, wasmbuild.LEB(1000)))), data(segment(20<<20, "a"))),
		"no memory":              wasmbuild.Module(data(segment(0, "a"))),
		"cut off":                withData(wasmbuild.Section(11, wasmbuild.Vec(segment(3, "abc"))[:6])),
		"more than counted":      withData(wasmbuild.Section(11, append(wasmbuild.Vec(segment(3, "abc")), 0))),
		"before the exports": wasmbuild.Module(wasmbuild.Section(5, wasmbuild.Vec([]byte{0, 2})), data(segment(3, "abc")),
			wasmbuild.Section(7, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.Str("memory"), []byte{2, 0})))),
		"twice": withData(data(segment(3, "abc")), data(segment(3, "abc"))),
	} {
		if rest, image := engine.SplitData(wasm); image != nil || !bytes.Equal(rest, wasm) {
			t.Errorf("%s: want the module as it is, got an image of %q", name, image)
		}
	}
}

func FuzzSplitData(f *testing.F) {
	f.Add(withData(data(segment(70_000, "far"), segment(0, "first"))))
	f.Add(withData(wasmbuild.Section(12, []byte{1}), data(segment(1, "a"))))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if len(wasm) < 8 {
			return
		}
		before := bytes.Clone(wasm)
		rest, image := engine.SplitData(wasm)
		if !bytes.Equal(wasm, before) {
			t.Fatal("the module was changed")
		}
		if image == nil && !bytes.Equal(rest, wasm) {
			t.Fatal("no image, and another module")
		}
		if again, more := engine.SplitData(rest); image != nil && (more != nil || !bytes.Equal(again, rest)) {
			t.Fatal("data were left")
		}
	})
}
