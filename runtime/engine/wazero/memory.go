package wazero

import (
	"errors"
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/berth-dev/storagedriver"
)

// errNoMemory is an instance whose memory could not be had.
var errNoMemory error = storagedriver.NewError(storagedriver.KindLimit, "no memory for another instance")

// allocator counts what the instances of an engine have.
type allocator struct {
	mapped atomic.Int64
}

// lease is the memory of one instance. wazero frees it when it closes the instance, which
// nobody does while it runs.
type lease struct {
	a     *allocator
	image *image // what the memory begins with, or nil
	mem   linear
	size  uint64
	freed bool
	err   error
}

var _ experimental.MemoryAllocator = (*lease)(nil)
var _ experimental.LinearMemory = (*lease)(nil)

// linear is the platform's memory: reserved for all that may come, usable as far as it
// has grown. It begins with the image it was reserved with, which the first grow covers.
type linear interface {
	// grow makes size bytes usable and returns them; nil when there is no more.
	grow(size uint64) []byte
	free()
}

// Allocate reserves max bytes of address space.
func (l *lease) Allocate(_, max uint64) experimental.LinearMemory {
	mem, err := reserve(max, l.image)
	if err != nil {
		l.err = errors.Join(errNoMemory, err)
	}
	l.mem = mem
	return l
}

// Reallocate returns nil when there is no memory, which memory.grow reports to the guest.
func (l *lease) Reallocate(size uint64) []byte {
	if l.mem == nil || l.freed {
		return nil
	}
	b := l.mem.grow(size)
	if b == nil {
		l.err = errNoMemory
		return nil
	}
	l.a.mapped.Add(int64(size) - int64(l.size))
	l.size = size
	return b
}

func (l *lease) Free() {
	if l.freed || l.mem == nil {
		return
	}
	l.freed = true
	l.mem.free()
	l.a.mapped.Add(-int64(l.size))
}
