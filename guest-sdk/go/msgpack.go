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
		e.b = append(e.b, wide, byte(n>>8), byte(n))
	default:
		e.b = append(e.b, wide+1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

func (e *encoder) str(s string) {
	switch n := len(s); {
	case n < 32:
		e.b = append(e.b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		e.b = append(e.b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		e.b = append(e.b, 0xda, byte(n>>8), byte(n))
	default:
		e.b = append(e.b, 0xdb, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	e.b = append(e.b, s...)
}

func (e *encoder) bin(p []byte) {
	switch n := len(p); {
	case n <= math.MaxUint8:
		e.b = append(e.b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		e.b = append(e.b, 0xc5, byte(n>>8), byte(n))
	default:
		e.b = append(e.b, 0xc6, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
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
	case n >= 0:
		e.uint(uint64(n))
	case n >= -32:
		e.b = append(e.b, byte(n))
	case n >= math.MinInt8:
		e.b = append(e.b, 0xd0, byte(n))
	case n >= math.MinInt16:
		e.b = append(e.b, 0xd1, byte(n>>8), byte(n))
	case n >= math.MinInt32:
		e.b = append(e.b, 0xd2, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		e.b = append(e.b, 0xd3)
		e.wide(uint64(n))
	}
}

func (e *encoder) uint(n uint64) {
	switch {
	case n < 128:
		e.b = append(e.b, byte(n))
	case n <= math.MaxUint8:
		e.b = append(e.b, 0xcc, byte(n))
	case n <= math.MaxUint16:
		e.b = append(e.b, 0xcd, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		e.b = append(e.b, 0xce, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		e.b = append(e.b, 0xcf)
		e.wide(n)
	}
}

func (e *encoder) wide(n uint64) {
	e.b = append(e.b, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
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

// key adds a key; its value must follow.
func (o object) key(k string) *encoder {
	o.e.b[o.at]++
	o.e.str(k)
	return o.e
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

// decoder reads MessagePack from b. The first error sticks: every further result is zero, and
// counts become 0, so that loops over them end.
type decoder struct {
	b   []byte
	i   int
	err error
}

var (
	errTruncated = NewError(KindCorrupt, "a message ends too early")
	errFormat    = NewError(KindCorrupt, "a message has a value of another type than expected")
	errTooDeep   = NewError(KindCorrupt, "a message is nested too deeply")
	errTrailing  = NewError(KindCorrupt, "a message goes on after its end")
	errTooLong   = NewError(KindLimit, "a message is longer than allowed")
)

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// end returns the first error, which may be that bytes are left over.
func (d *decoder) end() error {
	if d.err == nil && d.i != len(d.b) {
		d.err = errTrailing
	}
	return d.err
}

// take returns the next n bytes, or nil.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b)-d.i {
		d.fail(errTruncated)
		return nil
	}
	p := d.b[d.i : d.i+n : d.i+n]
	d.i += n
	return p
}

func (d *decoder) byte() byte {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0xc1 // never used by MessagePack
}

// be reads a big-endian number of n bytes.
func (d *decoder) be(n int) uint64 {
	var v uint64
	for _, c := range d.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

// counted checks a count against the bytes left, each item having at least size.
func (d *decoder) counted(n uint64, size int) int {
	if d.err != nil {
		return 0
	}
	if n > uint64(len(d.b)-d.i)/uint64(size) {
		d.fail(errTruncated)
		return 0
	}
	return int(n)
}

func (d *decoder) mapLen() int {
	switch c := d.byte(); {
	case c&0xf0 == 0x80:
		return d.counted(uint64(c&0x0f), 2)
	case c == 0xde:
		return d.counted(d.be(2), 2)
	case c == 0xdf:
		return d.counted(d.be(4), 2)
	}
	d.fail(errFormat)
	return 0
}

func (d *decoder) arrayLen() int {
	switch c := d.byte(); {
	case c&0xf0 == 0x90:
		return d.counted(uint64(c&0x0f), 1)
	case c == 0xdc:
		return d.counted(d.be(2), 1)
	case c == 0xdd:
		return d.counted(d.be(4), 1)
	}
	d.fail(errFormat)
	return 0
}

// strBytes returns a string's bytes; they are part of the message.
func (d *decoder) strBytes() []byte {
	switch c := d.byte(); {
	case c&0xe0 == 0xa0:
		return d.take(int(c & 0x1f))
	case c == 0xd9:
		return d.take(d.counted(d.be(1), 1))
	case c == 0xda:
		return d.take(d.counted(d.be(2), 1))
	case c == 0xdb:
		return d.take(d.counted(d.be(4), 1))
	}
	d.fail(errFormat)
	return nil
}

func (d *decoder) str() string { return string(d.strBytes()) }

// bin returns bytes that are part of the message.
func (d *decoder) bin() []byte {
	switch d.byte() {
	case 0xc4:
		return d.take(d.counted(d.be(1), 1))
	case 0xc5:
		return d.take(d.counted(d.be(2), 1))
	case 0xc6:
		return d.take(d.counted(d.be(4), 1))
	}
	d.fail(errFormat)
	return nil
}

func (d *decoder) bool() bool {
	switch d.byte() {
	case 0xc2:
		return false
	case 0xc3:
		return true
	}
	d.fail(errFormat)
	return false
}

func (d *decoder) int() int64 {
	switch c := d.byte(); {
	case c < 0x80:
		return int64(c)
	case c >= 0xe0:
		return int64(int8(c))
	case c == 0xcc:
		return int64(d.be(1))
	case c == 0xcd:
		return int64(d.be(2))
	case c == 0xce:
		return int64(d.be(4))
	case c == 0xcf:
		n := d.be(8)
		if n > math.MaxInt64 {
			d.fail(errFormat)
			return 0
		}
		return int64(n)
	case c == 0xd0:
		return int64(int8(d.be(1)))
	case c == 0xd1:
		return int64(int16(d.be(2)))
	case c == 0xd2:
		return int64(int32(d.be(4)))
	case c == 0xd3:
		return int64(d.be(8))
	}
	d.fail(errFormat)
	return 0
}

func (d *decoder) strs() []string {
	n := d.arrayLen()
	if n == 0 {
		return nil
	}
	out := make([]string, 0, n)
	for ; n > 0 && d.err == nil; n-- {
		out = append(out, d.str())
	}
	return out
}

// skip passes over one value, whatever it is, without recursion.
func (d *decoder) skip() {
	var left [MaxDepth]int // items still to come at each level
	depth := 0
	left[0] = 1
	for {
		for left[depth] == 0 {
			if depth == 0 {
				return
			}
			depth--
		}
		left[depth]--
		n := d.skipHead()
		if d.err != nil {
			return
		}
		if n == 0 {
			continue
		}
		if depth++; depth == MaxDepth {
			d.fail(errTooDeep)
			return
		}
		left[depth] = n
	}
}

// skipHead passes over a scalar, or over the head of a container, whose number of items it returns.
func (d *decoder) skipHead() int {
	c := d.byte()
	switch {
	case c < 0x80 || c >= 0xe0:
		return 0
	case c < 0x90:
		return 2 * d.counted(uint64(c&0x0f), 2)
	case c < 0xa0:
		return d.counted(uint64(c&0x0f), 1)
	case c < 0xc0:
		d.take(int(c & 0x1f))
		return 0
	}
	switch c {
	case 0xc0, 0xc2, 0xc3:
	case 0xc4, 0xd9:
		d.take(d.counted(d.be(1), 1))
	case 0xc5, 0xda:
		d.take(d.counted(d.be(2), 1))
	case 0xc6, 0xdb:
		d.take(d.counted(d.be(4), 1))
	case 0xc7:
		d.take(d.counted(d.be(1)+1, 1))
	case 0xc8:
		d.take(d.counted(d.be(2)+1, 1))
	case 0xc9:
		d.take(d.counted(d.be(4)+1, 1))
	case 0xca, 0xce, 0xd2:
		d.take(4)
	case 0xcb, 0xcf, 0xd3:
		d.take(8)
	case 0xcc, 0xd0:
		d.take(1)
	case 0xcd, 0xd1:
		d.take(2)
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		d.take(1 + 1<<(c-0xd4))
	case 0xdc:
		return d.counted(d.be(2), 1)
	case 0xdd:
		return d.counted(d.be(4), 1)
	case 0xde:
		return 2 * d.counted(d.be(2), 2)
	case 0xdf:
		return 2 * d.counted(d.be(4), 2)
	default:
		d.fail(errFormat)
	}
	return 0
}
