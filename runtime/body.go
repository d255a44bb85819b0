package runtime

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// body is a response's body, counted against Config.MaxOpenBodies until it is closed.
type body struct {
	*egress.Body
	d      *driver
	status int
	begin  int64 // where in the object the body begins; -1 when the response does not say
	closed atomic.Bool
}

// newBody takes over the body of resp, whatever comes of it.
func (d *driver) newBody(resp *egress.Response) (*body, error) {
	b := &body{Body: resp.Body, d: d, status: resp.Status, begin: bodyBegin(resp)}
	d.m.bodies.Add(1)
	if d.bodies.Add(1) > int64(d.m.cfg.MaxOpenBodies) {
		_ = b.Close() // the limit is the error to tell
		return nil, &storagedriver.Error{Kind: storagedriver.KindLimit, Temporary: true,
			Err: storagedriver.Errorf(storagedriver.KindLimit, "more than %d response bodies open in driver %s", d.m.cfg.MaxOpenBodies, d.Name()).Err}
	}
	return b, nil
}

// bodyBegin tells the position from which a response has the object.
func bodyBegin(resp *egress.Response) int64 {
	switch resp.Status {
	case http.StatusOK:
		return 0
	case http.StatusPartialContent:
		unit, rest, _ := strings.Cut(resp.Header.Get("Content-Range"), " ")
		first, _, ok := strings.Cut(rest, "-")
		n, err := strconv.ParseInt(first, 10, 64)
		if ok && err == nil && n >= 0 && strings.EqualFold(unit, "bytes") {
			return n
		}
	}
	return -1
}

// Close may be called more than once and from any goroutine.
func (b *body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.d.bodies.Add(-1)
	b.d.letGo(b)
	return b.Body.Close()
}

// checkRead holds a body that answers a read against what was asked.
func (b *body) checkRead(off, length int64) error {
	switch at := b.begin + b.Offset(); {
	case b.status != http.StatusOK && b.status != http.StatusPartialContent:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the guest answered a read with the body of a response of status %d", b.status)
	case b.begin < 0:
		return storagedriver.NewError(storagedriver.KindCorrupt, "the backend answered 206 without a Content-Range in bytes")
	case at != off:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend answered from offset %d, asked for %d", at, off)
	case b.Left() >= 0 && b.Left() < length:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend announced %d bytes, the guest promised %d", b.Left(), length)
	}
	return nil
}

// reader is what a caller of Read gets: exactly left bytes of a body.
type reader struct {
	b    *body
	want int64
	left int64
	err  error // what every further Read answers
}

var _ io.WriterTo = (*reader)(nil)

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.b.Read(p)
	r.left -= int64(n)
	switch {
	case r.left == 0 && (err == nil || err == io.EOF):
		// What a longer body still has is left where it is: the promise is kept.
		r.err = io.EOF
	case err == io.EOF:
		r.err = storagedriver.Errorf(storagedriver.KindCorrupt, "the body ended after %d of %d bytes", r.want-r.left, r.want)
	default:
		r.err = err
	}
	return n, r.err
}

// copyBuffers are larger than io.Copy's: a quarter of the system calls.
var copyBuffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// WriteTo saves io.Copy its own, smaller buffer.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	var total int64
	for {
		n, err := r.Read(buf[:])
		if n > 0 {
			written, werr := w.Write(buf[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
			if written != n {
				return total, io.ErrShortWrite
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (r *reader) Close() error {
	if r.err == nil || r.err == io.EOF {
		r.err = storagedriver.NewError(storagedriver.KindClosed, "the reader is closed")
	}
	return r.b.Close()
}

// onceSource is a Source over a body, which can be opened once. Nobody opening it within
// the limit closes it.
type onceSource struct {
	b       *body
	size    int64
	expires *time.Timer
	taken   atomic.Bool
}

func newOnceSource(b *body, size int64, limit time.Duration) *onceSource {
	s := &onceSource{b: b, size: size}
	s.expires = time.AfterFunc(limit, func() {
		if !s.taken.Swap(true) {
			_ = b.Close() // nobody is there to hear
		}
	})
	return s
}

func (s *onceSource) Size() int64 { return s.size }

func (s *onceSource) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.taken.Swap(true) {
		return nil, storagedriver.NewError(storagedriver.KindClosed, "the tail of an upload can be opened once, and soon after the upload")
	}
	s.expires.Stop()
	return &reader{b: s.b, want: s.size, left: s.size}, nil
}
