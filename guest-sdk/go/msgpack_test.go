package berth

import (
	"bytes"
	"math"
	"testing"
)

func TestIntegersSurvive(t *testing.T) {
	for _, n := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64,
		-1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, math.MinInt32 - 1, math.MinInt64} {
		var e encoder
		e.int(n)
		d := decoder{b: e.b}
		if got := d.int(); got != n || d.end() != nil {
			t.Errorf("%d became %d: %v", n, got, d.err)
		}
	}
}

func TestStringsAndBytesOfEveryLengthSurvive(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 255, 256, 65535, 65536} {
		var e encoder
		p := bytes.Repeat([]byte{'x'}, n)
		e.bin(p)
		e.str(string(p))
		d := decoder{b: e.b}
		if got := d.bin(); !bytes.Equal(got, p) {
			t.Errorf("%d bytes became %d", n, len(got))
		}
		if got := d.str(); got != string(p) || d.end() != nil {
			t.Errorf("%d characters became %d: %v", n, len(got), d.err)
		}
	}
}

func TestSkipIsBoundedInDepth(t *testing.T) {
	// The message's own map is the first level.
	deep := append(bytes.Repeat([]byte{0x91}, MaxDepth-1), 0xc0)
	d := decoder{b: deep}
	if d.skip(); d.end() != nil {
		t.Fatalf("%d levels: %v", MaxDepth-1, d.err)
	}
	d = decoder{b: append(bytes.Repeat([]byte{0x91}, MaxDepth), 0xc0)}
	if d.skip(); d.err != errTooDeep {
		t.Fatalf("%d levels: %v, want %v", MaxDepth, d.err, errTooDeep)
	}
	d = decoder{b: bytes.Repeat([]byte{0x91}, 1<<20)}
	if d.skip(); d.err != errTooDeep {
		t.Fatalf("a megabyte of arrays: %v", d.err)
	}
}

func TestSkipPassesEveryFormat(t *testing.T) {
	for _, b := range [][]byte{
		{0x00}, {0xff}, {0x80}, {0x81, 0x01, 0x02}, {0x92, 0x01, 0x02}, {0xa1, 'x'}, {0xc0}, {0xc2}, {0xc3},
		{0xc4, 1, 9}, {0xc5, 0, 1, 9}, {0xc6, 0, 0, 0, 1, 9}, {0xc7, 1, 5, 9}, {0xc8, 0, 1, 5, 9}, {0xc9, 0, 0, 0, 1, 5, 9},
		{0xca, 1, 2, 3, 4}, {0xcb, 1, 2, 3, 4, 5, 6, 7, 8}, {0xcc, 1}, {0xcd, 1, 2}, {0xce, 1, 2, 3, 4},
		{0xcf, 1, 2, 3, 4, 5, 6, 7, 8}, {0xd0, 1}, {0xd1, 1, 2}, {0xd2, 1, 2, 3, 4}, {0xd3, 1, 2, 3, 4, 5, 6, 7, 8},
		{0xd4, 1, 2}, {0xd5, 1, 2, 3}, {0xd6, 1, 2, 3, 4, 5}, {0xd9, 1, 'x'}, {0xda, 0, 1, 'x'}, {0xdb, 0, 0, 0, 1, 'x'},
		{0xdc, 0, 1, 7}, {0xdd, 0, 0, 0, 1, 7}, {0xde, 0, 1, 7, 7}, {0xdf, 0, 0, 0, 1, 7, 7},
	} {
		d := decoder{b: b}
		if d.skip(); d.end() != nil {
			t.Errorf("% x: %v", b, d.err)
		}
		for n := 1; n < len(b); n++ {
			d := decoder{b: b[:n]}
			if d.skip(); d.err == nil {
				t.Errorf("% x cut to %d bytes was accepted", b, n)
			}
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0x81, 0xa4, 'p', 'a', 't', 'h', 0xa1, '/'})
	f.Add(bytes.Repeat([]byte{0x91}, 40))
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("\x81\xa7replies\x93\x82\xa6status\xcc\xc8\xa4data\xc4\x01x\x81\xa3err\x81\xa4kind\x0c\x80"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		r.decode(b)
		(&wireHost{}).decodeResponse(b, true)
		if all, _, err := decodeExchanges(b, 3); err == nil && len(all) != 3 {
			t.Fatalf("%d answers to 3 requests", len(all))
		}
		d := decoder{b: b}
		decodeReceipts(&d)
		s := decoder{b: b}
		if s.skip(); s.err == nil && s.i > len(b) {
			t.Fatalf("skip went to %d of %d bytes", s.i, len(b))
		}
		for op := uint32(opStat); op <= uint32(opUploadAbort); op++ {
			g := newGuest(&fakeImports{}, Manifest{}, nil)
			g.driver = &answering{}
			if reply := g.dispatch(op, b); len(reply) == 0 || len(reply) > MaxMessage {
				t.Fatalf("a reply of %d bytes", len(reply))
			}
		}
	})
}
