// Package wasmbuild writes small WebAssembly modules for tests, byte by byte, so that they
// need no tool but Go.
package wasmbuild

// LEB writes an unsigned LEB128.
func LEB(n int) []byte {
	var b []byte
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Vec writes a vector: the count and the items.
func Vec(items ...[]byte) []byte {
	b := LEB(len(items))
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

// Str writes a name.
func Str(s string) []byte { return append(LEB(len(s)), s...) }

// Section writes a section with its length.
func Section(id byte, content []byte) []byte {
	return append(append([]byte{id}, LEB(len(content))...), content...)
}

// Module writes a module of sections, which must be in the order of the format.
func Module(sections ...[]byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		b = append(b, s...)
	}
	return b
}

// Cat joins bytes.
func Cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
