//go:build linux || darwin || freebsd

package chunked

import "golang.org/x/sys/unix"

// mapBytes returns size bytes that are no memory of Go's, all zero, or nil.
func mapBytes(size int) []byte {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil
	}
	return b
}

// unmapBytes gives back what mapBytes returned.
func unmapBytes(b []byte) {
	_ = unix.Munmap(b) // of a mapping of ours, whole: cannot fail
}
