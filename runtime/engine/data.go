package engine

// maxImage is the most bytes of an image: a module may place one byte at the end of a large
// memory. Those of Go guests have one MiB.
const maxImage = 16 << 20

// SplitData takes out of a module what it has every instance's memory begin with. image is
// that memory from address 0 on, as far as it is not zero, and rest the module without its
// data, which is the same to its code. A toolchain makes tens of thousands of segments; one
// image, which instances share until they write to it, costs them next to nothing.
//
// A module is returned as it is, with no image, where that would not be the same or is not
// for sure: where segments are passive or counted (code may copy or drop them), where an
// address is no constant or lies outside of the memory (which traps), where the memory is
// imported, where the image would be larger than 16 MiB, and where anything is malformed (sections
// after the data, which without them might be in order),
// which is the engine's to refuse. wasm is one that Inspect has accepted and is not changed.
func SplitData(wasm []byte) (rest, image []byte) {
	const custom, memories, data, dataCount = 0, 5, 11, 12
	in := &cursor{b: wasm, pos: 8}
	rest = append(make([]byte, 0, len(wasm)), wasm[:8]...)
	var memory int64 // bytes of the module's own memory at the beginning
	for in.pos < len(in.b) {
		begin := in.pos
		id, size := in.byte(), in.u32()
		if in.err != nil || int64(size) > int64(len(in.b)-in.pos) || id == dataCount || image != nil && id != custom {
			return wasm, nil
		}
		section := &cursor{b: in.b[:in.pos+int(size)], pos: in.pos}
		in.pos += int(size)
		switch id {
		case memories:
			if section.count() == 1 {
				memory = int64(section.limits().Min) * PageSize
			}
		case data:
			if image = imageOf(section, memory); image == nil {
				return wasm, nil
			}
			continue
		}
		rest = append(rest, in.b[begin:in.pos]...)
	}
	if len(image) == 0 {
		return wasm, nil
	}
	return rest, image
}

// imageOf returns what the segments make of a memory of so many bytes, or nil if they are not
// all active, at constant addresses in it.
func imageOf(c *cursor, memory int64) []byte {
	const active, i32Const, end = 0, 0x41, 0x0b
	image := []byte{}
	for n := c.count(); n > 0 && c.err == nil; n-- {
		if c.byte() != active || c.byte() != i32Const {
			return nil
		}
		at := int64(c.s32())
		if c.byte() != end {
			return nil
		}
		size := c.count()
		if c.err != nil || at < 0 || at+int64(size) > min(memory, maxImage) {
			return nil
		}
		if need := int(at) + size; need > len(image) {
			image = append(image, make([]byte, need-len(image))...)
		}
		copy(image[at:], c.b[c.pos:c.pos+size])
		c.pos += size
	}
	if c.err != nil || c.pos != len(c.b) {
		return nil
	}
	return image
}
