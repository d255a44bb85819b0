package runtime

import (
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// pipeSize is how far a stream's guest may be ahead of its reader. Of 64, 128 and 256 KiB it carries the most: the first has more hand-overs,
// the last leaves the processor's cache.
const pipeSize = 128 << 10

// pipeBuffers are those of pipes through which as much or more goes.
var pipeBuffers = sync.Pool{New: func() any { return new([pipeSize]byte) }}

var errStreamOver error = storagedriver.NewError(storagedriver.KindCanceled, "the stream's reader has all that it wants, or is gone")

// pipe carries a stream's bytes from its guest, one goroutine, to its reader, another one. What the guest writes first
// is dropped, and nothing is taken after the last byte that is wanted. It is a ring, so that neither side copies while
// it holds the lock; all other methods may be called from any goroutine.
type pipe struct {
	want int64

	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	pooled  *[pipeSize]byte // buf, if it is one of pipeBuffers
	at, n   int             // where what was not yet read begins in buf, and how much there is
	skip    int64           // to be dropped
	left    int64           // wanted, and not yet written
	unread  int64           // wanted, and not yet read
	err     error           // how it ended
	cut     bool            // err is told at once, not after what is there
	reading bool            // the reader has a part of buf
	writing bool            // so has the guest
	full    bool            // the guest waits for the reader
	taken   time.Time       // when the reader last took something, or asked for it
}

func newPipe(skip, want int64) *pipe {
	p := &pipe{want: want, skip: skip, left: want, unread: want, taken: time.Now()}
	p.changed.L = &p.mu
	return p
}

// write implements sink. It waits for the reader; what is more than it wants is KindCanceled, and so is everything once
// it is gone.
func (p *pipe) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.skip, int64(len(b)))
	p.skip -= n
	b = b[n:]
	over := int64(len(b)) > p.left
	if over {
		b = b[:p.left]
	}
	for len(b) > 0 && p.err == nil {
		if p.buf == nil {
			p.allocate()
		}
		for p.n == len(p.buf) && p.err == nil {
			p.full = true
			p.changed.Wait()
		}
		p.full = false
		if p.err == nil {
			b = b[p.fill(b):]
		}
	}
	if over || p.err != nil {
		return errStreamOver
	}
	return nil
}

// fill copies what there is room for up to the ring's end. p.mu is held, but not while it copies.
func (p *pipe) fill(b []byte) int {
	end := (p.at + p.n) % len(p.buf)
	room := p.buf[end:min(end+len(p.buf)-p.n, len(p.buf))]
	p.writing = true
	p.mu.Unlock()
	n := copy(room, b)
	p.mu.Lock()
	p.writing = false
	p.n += n
	p.left -= int64(n)
	p.changed.Broadcast()
	p.free()
	return n
}

// allocate makes buf no larger than what is to come. p.mu is held.
func (p *pipe) allocate() {
	if p.left < pipeSize {
		p.buf = make([]byte, p.left)
		return
	}
	p.pooled = pipeBuffers.Get().(*[pipeSize]byte)
	p.buf = p.pooled[:]
}

// free gives buf back when nothing of it will be read. p.mu is held.
func (p *pipe) free() {
	if !p.cut && p.unread > 0 || p.reading || p.writing {
		return
	}
	if p.pooled != nil {
		pipeBuffers.Put(p.pooled)
	}
	p.buf, p.pooled, p.at, p.n = nil, nil, 0, 0
}

// abort implements sink. How the stream ends is said by end and fail.
func (*pipe) abort() {}

// end says that the guest writes no more, because of err if that is not nil. The reader is told after what was written;
// of a stream that it has all of that is nothing.
func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return
	case p.left == 0:
		err = io.EOF
	case err == nil:
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "the driver's stream ended after %d of %d bytes", p.want-p.left, p.want)
	}
	p.err = err
	p.changed.Broadcast()
}

// fail ends the stream now: the guest's writing fails, and the reader is told err unless it has read everything.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return
	}
	p.cut = true
	if p.err = err; p.unread == 0 {
		p.err = io.EOF
	}
	p.changed.Broadcast()
	p.free()
}

// next returns what is to be read next, 1 to most bytes that stay the reader's until it calls took. It waits for them.
func (p *pipe) next(most int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.n == 0 && p.unread > 0 && p.err == nil {
		p.changed.Wait()
	}
	p.taken = time.Now()
	switch {
	case p.cut || p.n == 0 && p.unread > 0:
		return nil, p.err
	case p.unread == 0:
		return nil, io.EOF
	}
	p.reading = true
	return p.buf[p.at:min(p.at+p.n, p.at+most, len(p.buf))], nil
}

// took says that the reader has read n bytes of what next returned. It returns io.EOF with the last.
func (p *pipe) took(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading, p.taken = false, time.Now()
	p.at = (p.at + n) % len(p.buf)
	p.n -= n
	p.unread -= int64(n)
	if p.full && p.n <= len(p.buf)/2 { // room worth waking the guest for
		p.changed.Broadcast()
	}
	p.free()
	switch {
	case p.unread == 0:
		return io.EOF
	case p.cut:
		return p.err
	}
	return nil
}

// complete reports whether the guest has written all that is wanted.
func (p *pipe) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left == 0
}

// stalled is for how long the guest has waited for a reader that takes nothing; 0 when it does not wait.
func (p *pipe) stalled(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full || p.err != nil {
		return 0
	}
	return max(now.Sub(p.taken), 0)
}
