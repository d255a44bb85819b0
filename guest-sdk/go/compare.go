//go:build !wasm || tinygo

package berth

// HasPrefix reports whether data begins with prefix. In a guest it is several times as fast as the standard
// library's, which compares byte by byte there.
func HasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}

// load64 returns the eight bytes of b from i on, the first one lowest. They must be within b's capacity.
func load64(b []byte, i int) uint64 {
	b = b[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
