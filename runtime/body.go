package runtime

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// httpBody is a response's body, counted against Config.MaxOpenBodies until it is closed.
type httpBody struct {
	*egress.Body
	d      *driver
	status int
	begin  int64  // where in the object the body begins; -1 when the response does not say
	ranged string // what it says
	closed atomic.Bool
}

// newBody takes over the body of resp, whatever comes of it.
func (d *driver) newBody(resp *egress.Response) (*httpBody, error) {
	b := &httpBody{Body: resp.Body, d: d, status: resp.Status, begin: bodyBegin(resp)}
	if b.begin < 0 && b.status == http.StatusPartialContent {
		b.ranged = fmt.Sprintf("Content-Range %q, type %q, %d bytes", guest.Clip(resp.Header.Get("Content-Range"), 80), guest.Clip(resp.Header.Get("Content-Type"), 80), resp.Length)
	}
	if err := d.openBody(); err != nil {
		_ = resp.Body.Close() // the limit is the error to tell
		return nil, err
	}
	return b, nil
}

// openBody counts a body against Config.MaxOpenBodies until closeBody is called.
func (d *driver) openBody() error {
	d.m.bodies.Add(1)
	if d.bodies.Add(1) <= int64(d.m.cfg.MaxOpenBodies) {
		return nil
	}
	d.closeBody()
	return &storagedriver.Error{Kind: storagedriver.KindLimit, Temporary: true,
		Err: storagedriver.Errorf(storagedriver.KindLimit, "more than %d response bodies open in driver %s", d.m.cfg.MaxOpenBodies, d.Name()).Err}
}

func (d *driver) closeBody() {
	d.bodies.Add(-1)
	d.m.bodies.Add(-1)
}

// bodyBegin tells the position from which a response has the object; -1 when it does not
// say, or contradicts itself.
func bodyBegin(resp *egress.Response) int64 {
	switch resp.Status {
	case http.StatusOK:
		return 0
	case http.StatusPartialContent:
		unit, rest, _ := strings.Cut(resp.Header.Get("Content-Range"), " ")
		bounds, _, _ := strings.Cut(rest, "/")
		first, last, _ := strings.Cut(bounds, "-")
		begin, err := strconv.ParseUint(first, 10, 63)
		end, endErr := strconv.ParseUint(last, 10, 63)
		several := strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "multipart/byteranges")
		fits := err == nil && endErr == nil && begin <= end && (resp.Length < 0 || uint64(resp.Length) == end-begin+1)
		if fits && strings.EqualFold(unit, "bytes") && !several {
			return int64(begin)
		}
	}
	return -1
}

// Close may be called more than once and from any goroutine.
func (b *httpBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.d.closeBody()
	return b.Body.Close()
}

// checkRead holds a body that answers a read against what was asked.
func (b *httpBody) checkRead(off, length int64) error {
	switch at := b.begin + b.Offset(); {
	case b.status != http.StatusOK && b.status != http.StatusPartialContent:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the guest answered a read with the body of a response of status %d", b.status)
	case b.begin < 0:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend answered 206 with a body that is not the range it names (%s)", b.ranged)
	case at != off:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend answered from offset %d, asked for %d", at, off)
	case b.Left() >= 0 && b.Left() < length:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend announced %d bytes, the guest promised %d", b.Left(), length)
	}
	return nil
}

func (b *httpBody) checkTail(length int64) error {
	if left := b.Left(); left >= 0 && left < length || b.status/100 != 2 {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the tail is a response of status %d with %d bytes left, the guest promised %d", b.status, left, length)
	}
	return nil
}

// reader is what a caller of Read gets: exactly left bytes of a body.
type reader struct {
	b    body
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
	b       body
	size    int64
	expires *time.Timer
	taken   atomic.Bool
}

func newOnceSource(b body, size int64, limit time.Duration) *onceSource {
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
