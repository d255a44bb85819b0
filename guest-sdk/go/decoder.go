package berth

import "math"

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

// fail keeps the first error and leaves nothing to read.
func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.i = len(d.b)
}

// end returns the first error, which may be that bytes are left over.
func (d *decoder) end() error {
	if d.err == nil && d.i != len(d.b) {
		d.err = errTrailing
	}
	return d.err
}

// family is the kind of a value, whatever its width.
type family byte

const (
	familyNone  family = iota // nothing could be read, or a byte that no value begins with
	familyUint                // the number is the value
	familyInt                 // the number is the value in two's complement of its width
	familyConst               // nil, false, true: the number is the first byte
	familyStr                 // the number is the length
	familyBin
	familyExt   // one byte more than the number says
	familyFixed // a fixed length: the number is the first byte
	familyArray // the number is the count
	familyMap
)

// formats are the first bytes from 0xc0 to 0xdf: family, and the bytes of the number that follows, in the lower
// half.
var formats = [32]byte{
	const0, 0, const0, const0, bin + 1, bin + 2, bin + 4, ext + 1, ext + 2, ext + 4, fixed, fixed, num + 1, num + 2, num + 4, num + 8,
	signed + 1, signed + 2, signed + 4, signed + 8, fixed, fixed, fixed, fixed, fixed, str + 1, str + 2, str + 4, array + 2, array + 4, dict + 2, dict + 4,
}

const (
	const0 = byte(familyConst) << 4
	bin    = byte(familyBin) << 4
	ext    = byte(familyExt) << 4
	fixed  = byte(familyFixed) << 4
	num    = byte(familyUint) << 4
	signed = byte(familyInt) << 4
	str    = byte(familyStr) << 4
	array  = byte(familyArray) << 4
	dict   = byte(familyMap) << 4
)

// head reads the first byte of a value and the number after it. All values are read through it: code that
// runs once costs a guest more than calls do.
//
//go:noinline
func (d *decoder) head() (family, uint64) {
	if d.i >= len(d.b) {
		d.fail(errTruncated)
		return familyNone, 0
	}
	c := d.b[d.i]
	d.i++
	switch {
	case c < 0x80:
		return familyUint, uint64(c)
	case c < 0x90:
		return familyMap, uint64(c & 0x0f)
	case c < 0xa0:
		return familyArray, uint64(c & 0x0f)
	case c < 0xc0:
		return familyStr, uint64(c & 0x1f)
	case c >= 0xe0:
		return familyInt, uint64(int64(int8(c)))
	}
	format := formats[c&0x1f]
	width := int(format & 0x0f)
	if width == 0 {
		return family(format >> 4), uint64(c)
	}
	if width > len(d.b)-d.i {
		d.fail(errTruncated)
		return familyNone, 0
	}
	var n uint64
	for _, c := range d.b[d.i : d.i+width] {
		n = n<<8 | uint64(c)
	}
	d.i += width
	if format&0xf0 == signed {
		shift := 64 - 8*width
		n = uint64(int64(n<<shift) >> shift)
	}
	return family(format >> 4), n
}

// take returns the next n bytes, or nil.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)-d.i) {
		d.fail(errTruncated)
		return nil
	}
	end := d.i + int(n)
	p := d.b[d.i:end:end]
	d.i = end
	return p
}

// want reads the head of a value of a family and checks its number against the bytes left, each item having
// at least size.
func (d *decoder) want(f family, size int) uint64 {
	got, n := d.head()
	if got != f {
		d.fail(errFormat)
		return 0
	}
	if n > uint64(len(d.b)-d.i)/uint64(size) {
		d.fail(errTruncated)
		return 0
	}
	return n
}

func (d *decoder) mapLen() int   { return int(d.want(familyMap, 2)) }
func (d *decoder) arrayLen() int { return int(d.want(familyArray, 1)) }

// strBytes returns a string's bytes; they are part of the message.
func (d *decoder) strBytes() []byte {
	if d.i < len(d.b) && d.b[d.i]&0xe0 == 0xa0 { // a key, most likely
		from := d.i + 1
		if to := from + int(d.b[d.i]&0x1f); to <= len(d.b) {
			d.i = to
			return d.b[from:to:to]
		}
	}
	return d.take(d.want(familyStr, 1))
}

func (d *decoder) str() string { return string(d.strBytes()) }

// bin returns bytes that are part of the message.
func (d *decoder) bin() []byte { return d.take(d.want(familyBin, 1)) }

func (d *decoder) bool() bool {
	f, n := d.head()
	if f != familyConst || n == 0xc0 {
		d.fail(errFormat)
		return false
	}
	return n == 0xc3
}

func (d *decoder) int() int64 {
	f, n := d.head()
	if f != familyInt && (f != familyUint || n > math.MaxInt64) {
		d.fail(errFormat)
		return 0
	}
	return int64(n)
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
	f, n := d.head()
	room := uint64(len(d.b) - d.i)
	switch f {
	case familyNone:
		d.fail(errFormat)
	case familyStr, familyBin:
		d.take(n)
	case familyExt:
		d.take(n + 1)
	case familyFixed:
		d.take(fixedBytes(byte(n)))
	case familyArray:
		if n > room {
			d.fail(errTruncated)
			return 0
		}
		return int(n)
	case familyMap:
		if n > room/2 {
			d.fail(errTruncated)
			return 0
		}
		return 2 * int(n)
	}
	return 0
}

// fixedBytes is how many bytes follow the first byte of a float or of an extension of fixed length.
func fixedBytes(format byte) uint64 {
	switch format {
	case 0xca:
		return 4
	case 0xcb:
		return 8
	}
	return 1 + 1<<(format-0xd4)
}
