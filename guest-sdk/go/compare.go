//go:build !wasm

package berth

// HasPrefix reports whether data begins with prefix. In a guest it is several times as fast as the standard
// library's, which compares byte by byte there.
func HasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}
