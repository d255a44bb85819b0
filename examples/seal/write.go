package seal

import (
	"io"
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Put implements berth.Driver.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	sink, err := c.Store(store).Begin(path)
	if err != nil {
		return err
	}
	defer sink.Close()
	if body.Size() <= inline {
		err = d.putWhole(sink, body)
	} else {
		err = d.putSegments(sink, body)
	}
	if err != nil {
		return err
	}
	return sink.Finish()
}

// putWhole writes a file that is one age file, and needs no seal.
func (d *driver) putWhole(to io.Writer, body *berth.Stream) error {
	stored, n, head, err := d.seal(to, []byte(wholeLine), body)
	if err != nil {
		return err
	}
	if n != body.Size() {
		return errShort()
	}
	t, err := table(nil).with(stored, n, head)
	if err != nil {
		return err
	}
	_, err = to.Write((&ending{table: t}).bytes())
	return err
}

func (d *driver) putSegments(to io.Writer, body *berth.Stream) error {
	w := &writing{link: newLink()}
	for left := body.Size(); left > 0; {
		n, err := d.pack(to, w, io.LimitReader(body, left))
		if err != nil {
			return err
		}
		if n == 0 {
			return errShort()
		}
		left -= n
	}
	return d.finish(to, w)
}

func errShort() error { return berth.NewError(berth.KindCorrupt, "the body ended early") }

// OpenUpload implements berth.Driver: the store does it.
func (d *driver) OpenUpload(_ *berth.Call, path string, _ bool, _ *berth.Receipts) (berth.Upload, error) {
	return berth.Upload{Delegate: berth.Delegate{Store: store, Path: path, Transform: true}}, nil
}

// Stream implements berth.Driver.
func (d *driver) Stream(_ *berth.Call, _ string, state []byte, body *berth.Stream, out *berth.Output) ([]byte, error) {
	if body == nil {
		return nil, errState()
	}
	if len(state) > 0 && state[0] == readingMark {
		r, err := parseReading(state)
		if err != nil {
			return nil, err
		}
		return nil, d.unpack(body, r, out)
	}
	w, err := parseWriting(state)
	if err != nil {
		return nil, err
	}
	n, err := d.pack(out, w, body)
	if err != nil {
		return nil, err
	}
	if n == 0 || body.Size() >= 0 && n != body.Size() {
		return nil, berth.NewError(berth.KindInvalidArgument, "a piece has 1 to ", strconv.Itoa(maxContent), " bytes")
	}
	return w.state(), nil
}

// Committing implements berth.Driver.
func (d *driver) Committing(_ *berth.Call, _ string, size int64, state []byte, out *berth.Output) error {
	w, err := parseWriting(state)
	if err != nil {
		return err
	}
	if _, content := w.table.size(); content != size {
		return berth.NewError(berth.KindCorrupt, "the upload has ", strconv.FormatInt(content, 10), " bytes in segments, not ", strconv.FormatInt(size, 10))
	}
	return d.finish(out, w)
}
