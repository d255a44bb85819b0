package compress

import (
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// driver compresses into one store. It may be used concurrently.
type driver struct {
	berth.Unimplemented
	encoders sync.Pool // of *s2.Writer
	decoders sync.Pool // of *s2.Reader
	rooms    sync.Pool // of *room
}

// blockSize is what is compressed on its own: what fits the caches of a processor.
const blockSize = 1 << 20

func newDriver(level int64) *driver {
	options := []s2.WriterOption{s2.WriterConcurrency(1), s2.WriterBlockSize(blockSize)}
	switch level {
	case 2:
		options = append(options, s2.WriterBetterCompression())
	case 3:
		options = append(options, s2.WriterBestCompression())
	}
	d := &driver{}
	d.encoders.New = func() any { return s2.NewWriter(nil, options...) }
	d.decoders.New = func() any { return s2.NewReader(nil, s2.ReaderMaxBlockSize(maxContent)) }
	d.rooms.New = func() any { return new(room) }
	return d
}

// Delete implements berth.Driver.
func (d *driver) Delete(c *berth.Call, path string) error { return c.Store(store).Delete(path) }

// DeleteTree implements berth.Driver.
func (d *driver) DeleteTree(c *berth.Call, path string) error {
	if err := d.AbortUploads(c, path); err != nil {
		return err
	}
	return c.Store(store).DeleteTree(path)
}

// Move implements berth.Driver.
func (d *driver) Move(c *berth.Call, source, dest string) error {
	return c.Store(store).Move(source, dest)
}

// AbortUploads implements berth.Driver.
func (d *driver) AbortUploads(c *berth.Call, path string) error {
	return c.Store(store).AbortUploads(path)
}

// private reports whether a name is one of the host's, of which not all are this driver's files.
func private(name string) bool { return strings.Contains(name, "~") }
