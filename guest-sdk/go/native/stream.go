package native

import (
	"io"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// body is the body of a response, or another that can be read once.
type body struct {
	host     *Host
	r        io.ReadCloser
	response bool
	detached bool
}

// stream returns r as a stream of the call; size -1 means unknown.
func (h *Host) stream(r io.ReadCloser, size int64, response bool) *berth.Stream {
	b := &body{host: h, r: r, response: response}
	h.open = append(h.open, b)
	return berth.NewStream(b, size)
}

// What is left of a response's body is read as it is closed, as the sandbox's host does, so that its connection can be used
// again; but no more, and for no longer, than a new connection costs.
const (
	drainLimit = 16 << 10
	drainTime  = 100 * time.Millisecond
)

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = b.host.failure(err)
	}
	return n, err
}

func (b *body) Close() error {
	if b.detached {
		return nil
	}
	if !b.response {
		return b.r.Close()
	}
	late := time.AfterFunc(drainTime, func() { _ = b.r.Close() }) // ends the read below
	_, _ = io.CopyN(io.Discard, b.r, drainLimit)                  // on failure the connection is not used again, that is all
	late.Stop()
	return b.r.Close()
}

// source is an operation's body; reading it opens it.
type source struct {
	host   *Host
	opener Opener
	r      io.ReadCloser
}

func (s *source) Read(p []byte) (int, error) {
	if s.r == nil {
		r, err := s.opener.Open(s.host.ctx)
		if err != nil {
			return 0, err
		}
		s.r = r
	}
	return s.r.Read(p)
}

func (s *source) Close() error {
	if s.r == nil {
		return nil
	}
	err := s.r.Close()
	s.r = nil
	return err
}

// sizeOf is the length of the streams together, -1 when it is not known.
func sizeOf(streams []*berth.Stream) int64 {
	var size int64
	for _, s := range streams {
		if s.Size() < 0 {
			return -1
		}
		size += s.Size()
	}
	return size
}

// joinedBody is a request body of streams, each opened when it is reached. net/http makes another one
// only for a connection that was lost before a byte was sent.
type joinedBody struct {
	host *Host
	rest []*berth.Stream
	open io.ReadCloser
}

func (j *joinedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if j.open == nil {
			if len(j.rest) == 0 {
				return 0, io.EOF
			}
			r, err := j.host.reader(j.rest[0])
			if err != nil {
				return 0, err
			}
			j.open, j.rest = r, j.rest[1:]
		}
		n, err := j.open.Read(p)
		if err == io.EOF {
			err = j.open.Close()
			j.open = nil
			if n == 0 && err == nil {
				continue
			}
		}
		return n, err
	}
}

func (j *joinedBody) Close() error {
	j.rest = nil
	if j.open == nil {
		return nil
	}
	err := j.open.Close()
	j.open = nil
	return err
}

func (h *Host) reader(s *berth.Stream) (io.ReadCloser, error) {
	if src, ok := s.Host().(*source); ok {
		return src.opener.Open(h.ctx)
	}
	return io.NopCloser(s), nil
}
