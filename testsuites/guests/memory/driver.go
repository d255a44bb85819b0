package memory

import (
	"io"
	"sync"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Name is the driver's name.
const Name = "memory"

// recycled is the least that is worth keeping to be written again: the size of the benchmark's objects. Less costs little to collect
// and to ask for.
const recycled = 16 << 20

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name: Name, Version: "1.0.0", Description: "keeps objects in memory, for benchmarks",
		Memory: 192 << 20, Instances: 1,
	}
}

// Open opens a driver without objects.
func Open(*berth.Call, []byte) (berth.Driver, berth.Abilities, int64, error) {
	return &driver{objects: map[string]object{}, directories: map[string][]berth.Entry{"/": nil}}, 0, 0, nil
}

type object struct {
	content  []byte // not changed while it is here
	modified time.Time
}

type driver struct {
	berth.Unimplemented

	mu          sync.RWMutex
	objects     map[string]object
	directories map[string][]berth.Entry // by path, ascending; slices are replaced, not changed
	spare       []byte                   // the content that was replaced last, to be written again
}

// Stat implements berth.Driver.
func (d *driver) Stat(_ *berth.Call, path string) (berth.Entry, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if o, is := d.objects[path]; is {
		return berth.Entry{Size: int64(len(o.content)), ModTime: o.modified}, nil
	}
	if _, is := d.directories[path]; is {
		return berth.Entry{Dir: true}, nil
	}
	return berth.Entry{}, notFound()
}

// Read implements berth.Driver. The answer is always data: in a sandbox no more than a message holds.
func (d *driver) Read(_ *berth.Call, path string, offset, length int64) (berth.Content, error) {
	d.mu.RLock()
	o, is := d.objects[path]
	d.mu.RUnlock()
	if !is {
		return berth.Content{}, notFound()
	}
	size := int64(len(o.content))
	if offset > size {
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset, "beyond the object's end")
	}
	end := size
	if length >= 0 {
		end = offset + min(length, size-offset)
	}
	return berth.Content{Length: end - offset, Data: o.content[offset:end]}, nil
}

// Put implements berth.Driver.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	content := d.room(body.Size())
	if _, err := io.ReadFull(body, content); err != nil {
		return err
	}
	return d.store(path, object{content: content, modified: c.Now()})
}

// room returns size bytes to be written.
func (d *driver) room(size int64) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spare != nil && int64(len(d.spare)) == size {
		b := d.spare
		d.spare = nil
		return b
	}
	return make([]byte, size)
}

func notFound() error { return berth.NewError(berth.KindNotFound) }
