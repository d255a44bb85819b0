//go:build !linux && !darwin && !freebsd

package wazero

import "bytes"

// heap is memory of Go's, where there is no mmap.
type heap struct {
	b   []byte
	max uint64
}

// image is what memories begin with.
type image struct {
	bytes []byte
}

func newImage(b []byte) (*image, error) { return &image{b}, nil }

func (*image) close() error { return nil }

func reserve(max uint64, i *image) (linear, error) {
	h := &heap{max: max}
	if i != nil {
		h.b = bytes.Clone(i.bytes)
	}
	return h, nil
}

func (h *heap) grow(size uint64) []byte {
	if size > h.max {
		return nil
	}
	if size > uint64(cap(h.b)) {
		grown := make([]byte, size)
		copy(grown, h.b)
		h.b = grown
	}
	h.b = h.b[:size]
	return h.b
}

func (h *heap) free() { h.b = nil }
