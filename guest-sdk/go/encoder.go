package berth

import "math"

// encoder appends MessagePack to b, in the shortest format of each value.
type encoder struct{ b []byte }

func (e *encoder) mapLen(n int)   { e.count(n, 0x80, 0xde) }
func (e *encoder) arrayLen(n int) { e.count(n, 0x90, 0xdc) }

func (e *encoder) count(n int, fix, wide byte) {
	switch {
	case n < 16:
		e.b = append(e.b, fix|byte(n))
	case n <= math.MaxUint16:
		e.head(wide, uint64(n), 2)
	default:
		e.head(wide+1, uint64(n), 4)
	}
}

// head appends a format's first byte and the number after it, which has width bytes. It is one
// function and not inlined: code that runs once costs a guest more than a call does.
//
//go:noinline
func (e *encoder) head(format byte, n uint64, width int) {
	b := append(e.b, format)
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	e.b = b
}

func (e *encoder) str(s string) {
	e.strLen(len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) strLen(n int) {
	switch {
	case n < 32:
		e.b = append(e.b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		e.head(0xd9, uint64(n), 1)
	case n <= math.MaxUint16:
		e.head(0xda, uint64(n), 2)
	default:
		e.head(0xdb, uint64(n), 4)
	}
}

func (e *encoder) bin(p []byte) {
	switch n := len(p); {
	case n <= math.MaxUint8:
		e.head(0xc4, uint64(n), 1)
	case n <= math.MaxUint16:
		e.head(0xc5, uint64(n), 2)
	default:
		e.head(0xc6, uint64(n), 4)
	}
	e.b = append(e.b, p...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 0xc3)
		return
	}
	e.b = append(e.b, 0xc2)
}

func (e *encoder) int(n int64) {
	switch {
	case n >= -32 && n < 128:
		e.b = append(e.b, byte(n))
	case n >= 0:
		e.uint(uint64(n))
	case n >= math.MinInt8:
		e.head(0xd0, uint64(n), 1)
	case n >= math.MinInt16:
		e.head(0xd1, uint64(n), 2)
	case n >= math.MinInt32:
		e.head(0xd2, uint64(n), 4)
	default:
		e.head(0xd3, uint64(n), 8)
	}
}

// uint appends a number above 127.
func (e *encoder) uint(n uint64) {
	format, width := byte(0xcc), 1
	for width < 8 && n>>(8*width) != 0 {
		format, width = format+1, width*2
	}
	e.head(format, n, width)
}

// object is a map being written: at most 15 keys, zero values left out. Its count
// is corrected with every key.
type object struct {
	e  *encoder
	at int
}

// object begins a map.
func (e *encoder) object() object {
	e.b = append(e.b, 0x80)
	return object{e, len(e.b) - 1}
}

// key adds a key of less than 32 bytes; its value must follow.
func (o object) key(k string) *encoder {
	e := o.e
	e.b[o.at]++
	e.b = append(append(e.b, 0xa0|byte(len(k))), k...)
	return e
}

func (o object) str(k, v string) {
	if v != "" {
		o.key(k).str(v)
	}
}

func (o object) int(k string, v int64) {
	if v != 0 {
		o.key(k).int(v)
	}
}

func (o object) bool(k string, v bool) {
	if v {
		o.key(k).bool(true)
	}
}

func (o object) bin(k string, v []byte) {
	if len(v) > 0 {
		o.key(k).bin(v)
	}
}

func (o object) strs(k string, v []string) {
	if len(v) > 0 {
		o.key(k).strs(v)
	}
}

func (e *encoder) strs(v []string) {
	e.arrayLen(len(v))
	for _, s := range v {
		e.str(s)
	}
}
