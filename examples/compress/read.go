package compress

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/s2"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// inline is the most bytes of a file's only frame that Read answers itself.
const inline = 128 << 10

// readingMark is before the table of the frames that a read needs, which together are its state. That of an upload is a table.
const readingMark = 0

// Read implements berth.Driver. The frames that have the range are opened before the table is looked at once more: a file with the same
// table and time is the same one.
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
		_, size := f.frames.size()
		if offset > size {
			return berth.Content{}, berth.NewError(berth.KindInvalidOffset)
		}
		n := size - offset
		if length >= 0 {
			n = min(n, length)
		}
		if n == 0 {
			return berth.Content{}, nil
		}
		begin, needed, skip := f.frames.span(offset, n)
		stored, _ := needed.size()
		var content berth.Content
		if f.frames.frames() == 1 && size <= inline {
			content, err = d.small(c, path, &f, stored, size)
			if err == nil && content.Data != nil {
				return berth.Content{Length: n, Data: content.Data[offset : offset+n]}, nil
			}
		} else {
			content, err = c.Store(store).Read(path, begin, stored)
		}
		if err != nil && berth.KindOf(err) != berth.KindInvalidOffset {
			return berth.Content{}, err
		}
		again, err := d.look(c, path)
		if err == nil && content.Length == stored && again.same(&f) {
			return berth.Content{Length: n, State: append([]byte{readingMark}, needed...), Body: content.Body, Skip: skip}, nil
		}
		if content.Body != nil {
			_ = content.Body.Close() // of a file that is no more
		}
		if f = again; err != nil {
			return berth.Content{}, err
		}
	}
	e := berth.NewError(berth.KindConflict, "the file is replaced again and again while it is opened")
	e.Temporary = true
	return berth.Content{}, e
}

// small returns the content of a file's only frame as Data. It has none if the file was replaced meanwhile; one that is damaged is KindCorrupt.
func (d *driver) small(c *berth.Call, path string, f *file, stored, size int64) (berth.Content, error) {
	frame, err := d.read(c, path, 0, stored)
	if err != nil {
		return berth.Content{}, err
	}
	data := make([]byte, size)
	if err = d.decode(data, frame); err == nil {
		return berth.Content{Data: data}, nil
	}
	// The same bytes of the same file twice are its own, and not those of another that was there for a moment.
	again, readErr := d.read(c, path, 0, stored)
	now, lookErr := d.look(c, path)
	if lookErr == nil && readErr == nil && bytes.Equal(frame, again) && now.same(f) {
		return berth.Content{}, errDamaged(err)
	}
	return berth.Content{}, nil
}

// decode fills content with that of a frame, which must have just that.
func (d *driver) decode(content, frame []byte) error {
	decoder := d.decoders.Get().(*s2.Reader)
	defer d.decoders.Put(decoder)
	decoder.Reset(bytes.NewReader(frame))
	if _, err := io.ReadFull(decoder, content); err != nil {
		return err
	}
	if _, err := decoder.ReadByte(); err == nil {
		return errors.New("it has more content than the table says")
	} else if err != io.EOF {
		return err
	}
	return nil
}

func errDamaged(err error) error {
	return berth.NewError(berth.KindCorrupt, "a frame of the file is damaged: ", err.Error())
}

// same reports whether f and other are one file, and not another that has the same table: that has another time, as far as the store's
// clock tells.
func (f *file) same(other *file) bool {
	return f.entry.Size == other.entry.Size && f.entry.ModTime.Equal(other.entry.ModTime) && bytes.Equal(f.frames, other.frames)
}

// span returns where in the file those frames begin that have n bytes from offset, their part of the table, and how far into them offset is.
func (t table) span(offset, n int64) (begin int64, needed table, skip int64) {
	var at int64
	first, last := -1, 0
	for i := range t.frames() {
		stored, content := t.frame(i)
		switch {
		case at+content <= offset:
			begin += stored
		case at < offset+n:
			if first < 0 {
				first, skip = i, offset-at
			}
			last = i + 1
		}
		at += content
	}
	return begin, t[first*entryBytes : last*entryBytes], skip
}

// room is what a frame is read into and decompressed to.
type room struct{ frame, content []byte }

// unpack writes what frames have, of which needed is the table.
func (d *driver) unpack(frames io.Reader, needed table, out io.Writer) error {
	r := d.rooms.Get().(*room)
	defer d.rooms.Put(r)
	for i := range needed.frames() {
		stored, size := needed.frame(i)
		if int64(cap(r.frame)) < stored {
			r.frame = make([]byte, stored)
		}
		frame := r.frame[:stored]
		if _, err := io.ReadFull(frames, frame); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errDamaged(err)
			}
			return err
		}
		if int64(cap(r.content)) < size {
			r.content = make([]byte, size)
		}
		content := r.content[:size]
		if err := d.decode(content, frame); err != nil {
			return errDamaged(err)
		}
		if _, err := out.Write(content); err != nil {
			return err
		}
	}
	return nil
}
