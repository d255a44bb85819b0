package partstore

import (
	"errors"
	"io"
)

// chunkSize is how much of a content is in one allocation: large contents need no room in one piece.
const chunkSize = 256 << 10

// content is bytes in chunks, all but the last of each run of one size. It is never changed.
type content struct {
	chunks [][]byte
	size   int64
}

// receive reads exactly size bytes; a body that has fewer is an error.
func receive(r io.Reader, size int64) (content, error) {
	c := content{size: size}
	for left := size; left > 0; {
		chunk := make([]byte, min(left, chunkSize))
		if _, err := io.ReadFull(r, chunk); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.ErrUnexpectedEOF
			}
			return content{}, err
		}
		c.chunks = append(c.chunks, chunk)
		left -= int64(len(chunk))
	}
	return c, nil
}

// join returns the contents one after another, without copying.
func join(contents []content) content {
	var out content
	for _, c := range contents {
		out.chunks = append(out.chunks, c.chunks...)
		out.size += c.size
	}
	return out
}

// send writes length bytes from offset on.
func (c content) send(w io.Writer, offset, length int64) error {
	for _, chunk := range c.chunks {
		if length == 0 {
			return nil
		}
		if offset >= int64(len(chunk)) {
			offset -= int64(len(chunk))
			continue
		}
		part := chunk[offset:]
		part = part[:min(int64(len(part)), length)]
		if _, err := w.Write(part); err != nil {
			return err
		}
		offset, length = 0, length-int64(len(part))
	}
	return nil
}
