package s3

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// content is a Source as the SDK wants a body: it hashes it, sends it, and may send it again, each from a place it seeks. The Source
// is opened when it is read. One goroutine uses it at a time.
type content struct {
	ctx    context.Context
	source storagedriver.Source
	at     int64
	open   io.ReadCloser // at at, or nil
	err    error         // what reading the Source failed with
}

var _ io.ReadSeekCloser = (*content)(nil)

func seekable(ctx context.Context, source storagedriver.Source) *content {
	return &content{ctx: ctx, source: source}
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if c.open == nil {
		if c.at >= c.source.Size() {
			return 0, io.EOF
		}
		if err := c.begin(); err != nil {
			c.err = err
			return 0, err
		}
	}
	n, err := c.open.Read(p)
	c.at += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// begin opens the Source and skips to where the SDK wants to read.
func (c *content) begin() error {
	r, err := c.source.Open(c.ctx)
	if err != nil {
		return err
	}
	if c.at > 0 {
		if s, ok := r.(io.Seeker); ok {
			_, err = s.Seek(c.at, io.SeekStart)
		} else {
			_, err = io.CopyN(io.Discard, r, c.at)
		}
	}
	if err != nil {
		_ = r.Close()
		return err
	}
	c.open = storagedriver.ExactBody(r, c.source.Size()-c.at)
	return nil
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.source.Size()
	}
	if offset < 0 {
		return 0, storagedriver.Errorf(storagedriver.KindInvalidOffset, "a seek to %d", offset)
	}
	if offset == c.at {
		return offset, nil
	}
	if c.open != nil {
		_ = c.open.Close() // read again from the beginning
		c.open = nil
	}
	c.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (c *content) Close() error {
	if c.open == nil {
		return nil
	}
	err := c.open.Close()
	c.open = nil
	return err
}

// sending is the error of a request with a body: when reading that failed, it is why.
func sending(action string, body *content, err error) error {
	if body.err != nil {
		return body.err
	}
	return classify(action, err)
}
