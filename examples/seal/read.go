package seal

import (
	"bytes"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// inline is the most bytes of a file's only segment that Read answers itself, and of a file without a seal.
const inline = 128 << 10

// Read implements berth.Driver. What has the range is opened before the ending is looked at once more: a file with the same
// one is the same file, as it has digests of heads, whose keys are made for each.
func (d *driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	f, err := d.look(c, path)
	for attempt := range attempts {
		if err != nil {
			return berth.Content{}, err
		}
		if err = wait(c, attempt); err != nil {
			return berth.Content{}, err
		}
		if f.entry.Dir {
			return berth.Content{}, berth.NewError(berth.KindNotFound, "a directory")
		}
		content, err := d.open(c, path, f.ending, offset, length)
		if err != nil && berth.KindOf(err) != berth.KindInvalidOffset && berth.KindOf(err) != berth.KindCorrupt {
			return berth.Content{}, err
		}
		again, lookErr := d.look(c, path)
		if lookErr == nil && again.same(&f) {
			return content, err
		}
		if content.Body != nil {
			_ = content.Body.Close() // of a file that is no more
		}
		if lookErr != nil {
			return berth.Content{}, lookErr
		}
		f = again
	}
	e := berth.NewError(berth.KindConflict, "the file is replaced again and again while it is opened")
	e.Temporary = true
	return berth.Content{}, e
}

// open opens the segments that have length bytes from offset, -1 to the end. Its error is about the file that it has been told of, if that is the one it met.
func (d *driver) open(c *berth.Call, path string, e *ending, offset, length int64) (berth.Content, error) {
	var data []byte
	var last link
	_, size := e.table.size()
	single := e.table.segments() == 1 && size <= inline
	var err error
	if !e.whole() {
		last, err = d.link(e)
	}
	if err == nil && single {
		data, err = d.small(c, path, e, last)
	}
	switch {
	case err != nil:
		return berth.Content{}, err
	case offset > size:
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset)
	}
	n := size - offset
	if length >= 0 {
		n = min(n, length)
	}
	if n == 0 {
		return berth.Content{}, nil
	}
	if single {
		return berth.Content{Length: n, Data: data[offset : offset+n]}, nil
	}
	begin, first, count, skip := e.table.span(offset, n)
	stored, _ := e.table[first*entryBytes : (first+count)*entryBytes].size()
	content, err := c.Store(store).Read(path, begin, stored)
	if err != nil {
		return berth.Content{}, err
	}
	r := &reading{first: first, count: count, last: last, table: e.table[first*entryBytes:]}
	if content.Length != stored {
		err = errDamaged("the store has fewer bytes than it said")
	}
	return berth.Content{Length: n, State: r.state(), Body: content.Body, Skip: skip}, err
}

// small returns the content of a file's only segment.
func (d *driver) small(c *berth.Call, path string, e *ending, last link) ([]byte, error) {
	stored, size := e.table.segment(0)
	segment, err := d.read(c, path, 0, stored)
	if err != nil {
		return nil, err
	}
	data := bytes.NewBuffer(make([]byte, 0, size))
	err = d.unpack(bytes.NewReader(segment), &reading{whole: e.whole(), count: 1, last: last, table: e.table}, data)
	return data.Bytes(), err
}

// same reports whether f and other are one file.
func (f *file) same(other *file) bool {
	return !f.entry.Dir && !other.entry.Dir && f.entry.Size == other.entry.Size && f.ending.sum == other.ending.sum
}
