//go:build !tinygo

package berth

import "unsafe"

// HasPrefix reports whether data begins with prefix. In a guest it is several times as fast as the standard
// library's, which compares byte by byte there.
//
//go:noinline
func HasPrefix(data []byte, prefix string) bool {
	n := len(prefix)
	if len(data) < n {
		return false
	}
	p, q := unsafe.Pointer(unsafe.SliceData(data)), unsafe.Pointer(unsafe.StringData(prefix))
	i := 0
	for ; i+8 <= n; i += 8 {
		if *(*uint64)(unsafe.Add(p, i)) != *(*uint64)(unsafe.Add(q, i)) { // wasm loads from any address
			return false
		}
	}
	for ; i < n; i++ {
		if data[i] != prefix[i] {
			return false
		}
	}
	return true
}

// load64 returns the eight bytes of b from i on, the first one lowest. They must be within b's capacity.
func load64(b []byte, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}
