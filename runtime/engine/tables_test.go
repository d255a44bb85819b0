package engine_test

import (
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/internal/wasmbuild"
)

// tables exports memory and grow (i32) -> (i32), which grows table 0.
func tables(types ...[]byte) []byte {
	return wasmbuild.Module(
		wasmbuild.Section(1, wasmbuild.Vec([]byte{0x60, 1, i32, 1, i32})),
		wasmbuild.Section(3, wasmbuild.Vec([]byte{0})),
		wasmbuild.Section(4, wasmbuild.Vec(types...)),
		wasmbuild.Section(5, wasmbuild.Vec([]byte{0, 1})),
		wasmbuild.Section(7, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.Str("memory"), []byte{2, 0}), wasmbuild.Cat(wasmbuild.Str("grow"), []byte{0, 0}))),
		wasmbuild.Section(10, wasmbuild.Vec(wasmbuild.Cat(wasmbuild.LEB(9), []byte{0, 0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x0b}))),
	)
}

func TestTablesAreLimited(t *testing.T) {
	e := newEngine(t, engine.Config{})
	for _, c := range []struct {
		table []byte
		most  uint32 // elements that it can be grown by
	}{
		{[]byte{0x70, 0, 3}, engine.MaxTableElements - 3},
		{[]byte{0x70, 1, 3, 7}, 4},
		{wasmbuild.Cat([]byte{0x70, 1, 0}, wasmbuild.LEB(1<<32-1)), engine.MaxTableElements},
	} {
		wasm, err := engine.LimitTables(tables(c.table))
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := e.Compile(t.Context(), wasm)
		if err != nil {
			t.Fatal(err)
		}
		for by, want := range map[uint32]uint32{c.most + 1: 1<<32 - 1, c.most: uint32(c.table[2])} {
			in, err := compiled.Instantiate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			stack := []uint64{uint64(by)}
			if err := in.Func("grow").Call(t.Context(), stack); err != nil || uint32(stack[0]) != want {
				t.Errorf("%x grown by %d: %d, %v; want %d", c.table, by, int32(stack[0]), err, int32(want))
			}
			if err := in.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	many := make([][]byte, engine.MaxTables+1)
	for i := range many {
		many[i] = []byte{0x70, 0, 0}
	}
	for text, list := range map[string][][]byte{
		"1048577 elements": {wasmbuild.Cat([]byte{0x70, 0}, wasmbuild.LEB(engine.MaxTableElements+1))},
		"9 tables":         many,
		"type 0x40":        {{0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b}},
		"3 to 1":           {{0x70, 1, 3, 1}},
	} {
		if _, err := engine.LimitTables(tables(list...)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
}
