package engine

import "fmt"

// cursor reads the binary format. The first failure sticks.
type cursor struct {
	b   []byte
	pos int
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("malformed module: %s", fmt.Sprintf(format, args...))
	}
}

func (c *cursor) byte() byte {
	if c.err != nil || c.pos >= len(c.b) {
		c.fail("it ends early")
		return 0
	}
	c.pos++
	return c.b[c.pos-1]
}

// u32 reads an unsigned LEB128.
func (c *cursor) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		b := c.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if v > 0xffffffff {
				break
			}
			return uint32(v)
		}
	}
	c.fail("a number out of range")
	return 0
}

// s32 reads a signed LEB128.
func (c *cursor) s32() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		b := c.byte()
		v |= int64(b&0x7f) << shift
		if b >= 0x80 {
			continue
		}
		if b&0x40 != 0 {
			v |= -1 << (shift + 7)
		}
		if v != int64(int32(v)) {
			break
		}
		return int32(v)
	}
	c.fail("a number out of range")
	return 0
}

// count reads how many elements follow; each has a byte at least.
func (c *cursor) count() int {
	n := c.u32()
	if c.err == nil && int64(n) > int64(len(c.b)-c.pos) {
		c.fail("%d elements announced, %d bytes left", n, len(c.b)-c.pos)
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

func (c *cursor) name() string {
	n := c.count()
	if c.err != nil {
		return ""
	}
	s := string(c.b[c.pos : c.pos+n])
	c.pos += n
	return s
}

func (c *cursor) valueTypes() []ValueType {
	n := c.count()
	types := make([]ValueType, n)
	for i := range types {
		types[i] = ValueType(c.byte())
	}
	return types
}

func (c *cursor) limits() MemoryType {
	flags := c.byte()
	if flags > 1 {
		c.fail("limits with flags %#x: shared and 64-bit memories are not admitted", flags)
		return MemoryType{}
	}
	m := MemoryType{Min: c.u32(), HasMax: flags == 1}
	if m.HasMax {
		m.Max = c.u32()
	}
	return m
}
