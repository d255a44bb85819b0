//go:build !wasm

package berth

import "encoding/binary"

// HasPrefix reports whether data begins with prefix. In a guest it is several times as fast as the standard
// library's, which compares byte by byte there.
func HasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}

// load64 returns the eight bytes of b from i on, the first one lowest. They must be within b's capacity.
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }
