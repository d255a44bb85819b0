package partstore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
)

// chunkSize is how much of a content is in one allocation: large contents need no room in one piece.
const chunkSize = 256 << 10

// content is bytes in chunks, all but the last of each run of one size. It is never changed.
type content struct {
	chunks []chunk
	size   int64
}

// chunk is bytes in memory or in a file.
type chunk interface {
	io.ReaderAt
	Size() int64
}

// spool gives out room in a file. What is in it stays until the file goes.
type spool struct {
	file *os.File

	mu  sync.Mutex
	end int64
}

// receive is the receive of contents that lie in the file. A body that breaks off leaves its room unused.
func (s *spool) receive(r io.Reader, size int64) (content, error) {
	s.mu.Lock()
	at := s.end
	s.end += size
	s.mu.Unlock()
	if _, err := io.CopyN(io.NewOffsetWriter(s.file, at), r, size); err != nil {
		return content{}, unexpected(err)
	}
	return content{chunks: []chunk{io.NewSectionReader(s.file, at, size)}, size: size}, nil
}

// unexpected makes the end of a body that is not its end an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// receive reads exactly size bytes into memory; a body that has fewer is an error.
func receive(r io.Reader, size int64) (content, error) {
	c := content{size: size}
	for left := size; left > 0; {
		chunk := make([]byte, min(left, chunkSize))
		if _, err := io.ReadFull(r, chunk); err != nil {
			return content{}, unexpected(err)
		}
		c.chunks = append(c.chunks, bytes.NewReader(chunk))
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
	for _, part := range c.chunks {
		if length == 0 {
			return nil
		}
		size := part.Size()
		if offset >= size {
			offset -= size
			continue
		}
		n := min(size-offset, length)
		if _, err := io.Copy(w, io.NewSectionReader(part, offset, n)); err != nil {
			return err
		}
		offset, length = 0, length-n
	}
	return nil
}
