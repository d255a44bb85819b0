//go:build linux || darwin || freebsd

package wazero

import (
	"golang.org/x/sys/unix"
)

// mapping is an anonymous mapping: pages cost nothing until they are touched.
type mapping struct {
	b []byte // the whole reservation
}

func reserve(max uint64) (linear, error) {
	if max == 0 {
		return &mapping{}, nil
	}
	b, err := unix.Mmap(-1, 0, int(max), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	return &mapping{b: b}, nil
}

func (m *mapping) grow(size uint64) []byte {
	if size > uint64(len(m.b)) {
		return nil
	}
	if size == 0 {
		return []byte{}
	}
	if err := unix.Mprotect(m.b[:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return nil
	}
	return m.b[:size:size]
}

func (m *mapping) free() {
	if m.b != nil {
		_ = unix.Munmap(m.b) // of a mapping of ours, whole: cannot fail
	}
}
