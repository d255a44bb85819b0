package berth

// The messages of each Stat and Read are small maps of scalars, which one loop over one function's locals reads in a
// quarter of the code that the decoder runs. What it does not read, the decoder does.

// flatKey is a key as it is encoded, at most eight bytes.
type flatKey struct {
	bits, mask uint64 // its bytes, the first one lowest
	length     int
	family     family // of the value: familyUint for any integer, familyStr or familyBin
}

// flatValue is what was read; zero when the key is absent.
type flatValue struct {
	number int64
	bytes  []byte // part of the message
}

func newFlatKey(name string, f family) flatKey {
	k := flatKey{bits: 0xa0 | uint64(len(name)), length: 1 + len(name), family: f}
	for i := 0; i < len(name); i++ {
		k.bits |= uint64(name[i]) << (8 * (i + 1))
	}
	k.mask = 1<<(8*k.length) - 1
	return k
}

// flat reads b into values, which is zero and has one for each of keys. It reports false, and values say nothing, unless
// b is a whole and proper map of such keys. b has room for eight bytes after it.
func flat(b []byte, keys []flatKey, values []flatValue) bool {
	if len(b) == 0 || b[0]&0xf0 != 0x80 || cap(b)-len(b) < 8 {
		return false
	}
	i := 1
	for left := b[0] & 0x0f; left > 0; left-- {
		if i >= len(b) {
			return false
		}
		x := load64(b, i)
		k := 0
		for k < len(keys) && x&keys[k].mask != keys[k].bits {
			k++
		}
		if k >= len(keys) || k >= len(values) {
			return false
		}
		i += keys[k].length
		if i >= len(b) {
			return false
		}
		c := b[i]
		i++
		n, width := uint64(c), 0
		f := familyUint
		switch {
		case c < 0x80:
		case c >= 0xe0:
			n = uint64(int64(int8(c)))
		case c&0xe0 == 0xa0:
			f, n = familyStr, uint64(c&0x1f)
		case c&0xe0 == 0xc0:
			f, width = family(formats[c&0x1f]>>4), int(formats[c&0x1f]&0x0f)
			if width == 0 {
				return false
			}
			n = 0
		default:
			return false
		}
		if f != keys[k].family || width > len(b)-i {
			return false
		}
		for ; width > 0; width-- {
			n = n<<8 | uint64(b[i])
			i++
		}
		if f == familyUint {
			if c < 0xe0 && n>>63 != 0 {
				return false
			}
			values[k].number = int64(n)
			continue
		}
		if n > uint64(len(b)-i) {
			return false
		}
		end := i + int(n)
		values[k].bytes = b[i:end:end]
		i = end
	}
	return i == len(b)
}
