package compress

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/klauspost/compress/s2"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Put implements berth.Driver.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	sink, err := c.Store(store).Begin(path)
	if err != nil {
		return err
	}
	defer sink.Close()
	var frames table
	piece := make([]byte, min(body.Size(), maxContent))
	for left := body.Size(); left > 0; {
		n, err := io.ReadFull(body, piece[:min(left, maxContent)])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = berth.NewError(berth.KindCorrupt, "the body ended early")
			}
			return err
		}
		if frames, err = d.pack(sink, frames, piece[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	if _, err := sink.Write(frames.end()); err != nil {
		return err
	}
	return sink.Finish()
}

// pack writes a frame, and returns the table with it.
func (d *driver) pack(w io.Writer, frames table, piece []byte) (table, error) {
	frame := bytes.NewBuffer(make([]byte, 0, len(piece)/2+1024))
	encoder := d.encoders.Get().(*s2.Writer)
	defer d.encoders.Put(encoder)
	encoder.Reset(frame)
	if err := errors.Join(encoder.EncodeBuffer(piece), encoder.Close()); err != nil {
		return nil, err
	}
	next, err := frames.with(frame.Len(), len(piece))
	if err != nil {
		return nil, err
	}
	_, err = w.Write(frame.Bytes())
	return next, err
}

// OpenUpload implements berth.Driver: the store does it.
func (d *driver) OpenUpload(_ *berth.Call, path string, _ bool, _ *berth.Receipts) (berth.Upload, error) {
	return berth.Upload{Delegate: berth.Delegate{Store: store, Path: path, Transform: true}}, nil
}

// Stream implements berth.Driver. The state of an upload is its table so far.
func (d *driver) Stream(_ *berth.Call, _ string, state []byte, body *berth.Stream, out *berth.Output) ([]byte, error) {
	switch {
	case body != nil && len(state)%entryBytes == 0:
	case body != nil && len(state)%entryBytes == 1 && state[0] == readingMark:
		return nil, d.unpack(body, state[1:], out)
	default:
		return nil, berth.NewError(berth.KindInvalidArgument, "not a state of this driver's")
	}
	piece, err := body.ReadAll(maxContent)
	if err != nil {
		return nil, err
	}
	return d.pack(out, state, piece)
}

// Committing implements berth.Driver.
func (d *driver) Committing(_ *berth.Call, _ string, size int64, state []byte, out *berth.Output) error {
	frames := table(state)
	if _, content := frames.size(); content != size {
		return berth.NewError(berth.KindCorrupt, "the upload has ", strconv.FormatInt(content, 10), " bytes in frames, not ", strconv.FormatInt(size, 10))
	}
	_, err := out.Write(frames.end())
	return err
}
