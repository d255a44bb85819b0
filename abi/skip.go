package abi

import "github.com/vmihailenco/msgpack/v5/msgpcode"

// skip passes over one value of any type. It is iterative, so that depth costs no stack,
// and every count is held against the bytes left.
func (d *decoder) skip() {
	var pending [MaxDepth + 1]int // values still to come at each depth
	depth := 0
	pending[0] = 1
	for d.err == nil {
		for pending[depth] == 0 {
			if depth == 0 {
				return
			}
			depth--
		}
		pending[depth]--
		n, container := d.skipOne()
		if !container {
			continue
		}
		if d.depth+depth+1 > MaxDepth {
			d.fail("nested deeper than %d", MaxDepth)
			return
		}
		depth++
		pending[depth] = n
	}
}

// skipOne passes over a scalar, or over the head of a container of n values.
func (d *decoder) skipOne() (n int, container bool) {
	c := d.code()
	if d.err != nil {
		return 0, false
	}
	switch {
	case msgpcode.IsFixedMap(c), c == msgpcode.Map16, c == msgpcode.Map32:
		n, err := d.dec.DecodeMapLen()
		return 2 * d.count(n, 2, err), true
	case msgpcode.IsFixedArray(c), c == msgpcode.Array16, c == msgpcode.Array32:
		n, err := d.dec.DecodeArrayLen()
		return d.count(n, 1, err), true
	case msgpcode.IsString(c), msgpcode.IsBin(c):
		d.raw()
	default:
		d.skipFixed(c)
	}
	return 0, false
}

// skipFixed passes over a value whose length its first byte tells, and over extensions.
func (d *decoder) skipFixed(c byte) {
	size := 0
	switch {
	case msgpcode.IsFixedNum(c), c == msgpcode.Nil, c == msgpcode.False, c == msgpcode.True:
	case c == msgpcode.Uint8, c == msgpcode.Int8:
		size = 1
	case c == msgpcode.Uint16, c == msgpcode.Int16:
		size = 2
	case c == msgpcode.Uint32, c == msgpcode.Int32, c == msgpcode.Float:
		size = 4
	case c == msgpcode.Uint64, c == msgpcode.Int64, c == msgpcode.Double:
		size = 8
	case msgpcode.IsExt(c):
		_, n, err := d.dec.DecodeExtHeader()
		if err != nil || n < 0 || n > d.in.left() {
			d.fail("an extension that ends early")
			return
		}
		d.in.pos += n
		return
	default:
		d.fail("0x%02x begins no value", c)
		return
	}
	if size+1 > d.in.left() {
		d.fail("it ends early")
		return
	}
	d.in.pos += size + 1
}
