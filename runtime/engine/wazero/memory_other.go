//go:build !linux && !darwin && !freebsd

package wazero

// heap is memory of Go's, where there is no mmap.
type heap struct {
	b   []byte
	max uint64
}

func reserve(max uint64) (linear, error) { return &heap{max: max}, nil }

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
