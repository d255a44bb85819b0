//go:build linux || darwin || freebsd

package wazero

import (
	"bytes"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is an anonymous mapping: pages cost nothing until they are touched.
type mapping struct {
	b []byte // the whole reservation
}

func reserve(max uint64, i *image) (linear, error) {
	if max == 0 {
		return &mapping{}, nil
	}
	b, err := unix.Mmap(-1, 0, int(max), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	m := &mapping{b: b}
	if i != nil {
		if err := i.mapOver(b); err != nil {
			m.free()
			return nil, err
		}
	}
	return m, nil
}

// image is what memories begin with: a file whose pages they share until they write to them.
type image struct {
	file *os.File
	size int // whole pages
}

// newImage returns the image of b. The caller closes it.
func newImage(b []byte) (*image, error) {
	file, err := imageFile()
	if err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	i := &image{file: file, size: (len(b) + page - 1) / page * page}
	err = file.Truncate(int64(i.size))
	for at := 0; at < len(b) && err == nil; at += page {
		// What is zero is left out: a byte at the end of a large memory must not cost all before it.
		if p := b[at:min(at+page, len(b))]; len(bytes.Trim(p, "\x00")) > 0 {
			_, err = file.WriteAt(p, int64(at))
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return i, nil
}

// mapOver makes b begin with the image. b is larger: a memory is whole pages of 64 KiB, and
// the data are in it.
func (i *image) mapOver(b []byte) error {
	_, err := unix.MmapPtr(int(i.file.Fd()), 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(i.size),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}

func (i *image) close() error { return i.file.Close() }

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
