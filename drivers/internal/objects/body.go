package objects

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// Opened is the answer to an OpenFunc.
type Opened struct {
	// Body is closed by whoever was given the Opened.
	Body io.ReadCloser
	// Length is what Body promises in bytes, and Size the length of the whole object.
	Length, Size int64
	// Tag names the object's version, such as its ETag. Every answer has it, or none has: then a body that breaks cannot go on.
	Tag string
}

// OpenFunc requests length bytes of an object from offset, -1 to the end; a range past the end is clamped. A tag demands that
// version: another one is KindConflict, and none at all KindNotFound. "" takes any. ctx governs the body until it is closed, and
// ends a Read that is under way. It is called concurrently.
type OpenFunc func(ctx context.Context, offset, length int64, tag string) (Opened, error)

const (
	// progress is how many bytes make a body's attempts count anew: a service that breaks a connection in each MiB is slow, one
	// that breaks each in its first kilobytes is down.
	progress = 1 << 20

	defaultAttempts = 5
	defaultPause    = 100 * time.Millisecond
	defaultStall    = 30 * time.Second
	defaultChunk    = 8 << 20

	// maxPause is the longest pause before a request, and the longest that a service may ask for: what takes longer is
	// the client's to repeat.
	maxPause = 5 * time.Second

	// idleAhead is for how long ranges are kept for a reader that takes nothing: their memory is of use to others.
	idleAhead = 10 * time.Second
)

// BodyOptions say how a body is read. The zero value is usable.
type BodyOptions struct {
	// Attempts is how often the body is gone on with while less than 1 MiB comes. 0 is 5.
	Attempts int
	// Pause is the most that is waited before it is gone on with for the first time; it doubles with each further one, up to
	// 5 seconds. 0 is 100 milliseconds.
	Pause time.Duration
	// Stall is how long a Read may wait for a byte before the connection counts as broken. 0 is 30 seconds, less than 0 for ever.
	Stall time.Duration
	// Ahead is how many ranges are requested beyond the one that is read. 0 is none.
	Ahead int
	// Chunk is the size of one of them in bytes. 0 is 8 MiB.
	Chunk int64
	// Budget is what their memory is taken from, one Chunk for each and for the one that is read; nil is chunked.DefaultBudget.
	// Nobody waits for memory: there are fewer ranges, or none, when it is not free.
	Budget *chunked.Budget
}

func (o BodyOptions) withDefaults() BodyOptions {
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.Pause <= 0 {
		o.Pause = defaultPause
	}
	if o.Stall == 0 {
		o.Stall = defaultStall
	}
	if o.Chunk <= 0 {
		o.Chunk = defaultChunk
	}
	if o.Budget == nil {
		o.Budget = chunked.DefaultBudget()
	}
	return o
}

// Open opens length bytes from offset, -1 to the end, and returns the body with what the first answer said but its Body. The body
// is that of [Body]. Errors are those of open.
func Open(ctx context.Context, open OpenFunc, offset, length int64, o BodyOptions) (io.ReadCloser, Opened, error) {
	o = o.withDefaults()
	request, cancel := context.WithCancel(ctx)
	first, err := open(request, offset, length, "")
	if err != nil {
		cancel()
		return nil, Opened{}, err
	}
	b := newBody(ctx, open, newConnection(first.Body, cancel, o.Stall), first, offset, o)
	first.Body = nil
	return b, first, nil
}

// Body returns first.Body, which open returned under ctx for offset, as one that goes on where its connection breaks. [Open] does
// the same from the first request on, and can end that one when it stalls: here first.Body must take a Close during a Read.
//
// A Read that fails or ends before first.Length bytes, or waits longer than o.Stall, is followed by a request for the rest of the
// same version. What open answers ends the body unless it is Temporary; a version that is gone or another one is KindConflict.
// After o.Attempts in vain the error is Temporary, and KindUnavailable unless open gave another. A body that is longer than
// promised is KindCorrupt. The end of ctx ends a Read with its error. What the body gave before an error is right.
//
// With o.Ahead the reader who has taken more than o.Chunk bytes has ranges beyond read for him, as far as o.Budget has memory.
//
// The body is used by one goroutine at a time; ctx, not Close, ends a Read that is under way. ctx governs it until Close,
// which is idempotent, waits for its requests to end, and returns nil. The caller closes the body.
func Body(ctx context.Context, open OpenFunc, first Opened, offset int64, o BodyOptions) io.ReadCloser {
	o = o.withDefaults()
	return newBody(ctx, open, newConnection(first.Body, nil, o.Stall), first, offset, o)
}

func newBody(ctx context.Context, open OpenFunc, c *connection, first Opened, offset int64, o BodyOptions) *body {
	v := &version{open: open, tag: first.Tag, size: first.Size, o: o}
	b := &body{ctx: ctx, version: v, at: offset, end: offset + first.Length}
	b.direct = &stream{ctx: ctx, version: v, at: b.at, end: b.end, c: c}
	if first.Length < 0 {
		b.err = storagedriver.Errorf(storagedriver.KindCorrupt, "a body of %d bytes was promised", first.Length)
	}
	b.look = b.at + o.Chunk
	return b
}

// version is one version of an object.
type version struct {
	open OpenFunc
	tag  string
	size int64
	o    BodyOptions
}

// body reads from direct until it comes to the first range of ahead, and then from those.
type body struct {
	ctx     context.Context
	version *version

	mu      sync.Mutex // held by Read, Close and dropIdle, which does not wait for it
	at, end int64
	direct  *stream // nil while ranges of ahead are read
	ahead   *ahead  // nil while there is none
	look    int64   // from where on ahead is worth a try
	idle    *time.Timer
	err     error // what every further Read answers
	closed  bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, storagedriver.NewError(storagedriver.KindClosed, "the body was closed")
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	b.lookAhead()
	n, err := b.read(p)
	b.at += int64(n)
	b.err = err
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	if b.ahead == nil {
		if b.direct == nil { // the ranges were dropped
			b.direct = &stream{ctx: b.ctx, version: b.version, at: b.at, end: b.end}
		}
		return b.direct.Read(p)
	}
	defer b.idle.Reset(idleAhead)
	if b.at < b.ahead.from {
		return b.direct.Read(p[:min(int64(len(p)), b.ahead.from-b.at)])
	}
	if b.direct != nil {
		b.direct.close()
		b.direct = nil
	}
	return b.ahead.read(b.ctx, p)
}

// lookAhead starts ranges beyond the next chunk when the reader has come far enough.
func (b *body) lookAhead() {
	o := b.version.o
	if o.Ahead <= 0 || b.ahead != nil || b.at < b.look || b.version.tag == "" || b.end-b.at <= o.Chunk {
		return
	}
	b.look = b.at + o.Chunk
	if b.ahead = startAhead(b.ctx, b.version, b.look, b.end); b.ahead == nil {
		return
	}
	if b.idle == nil {
		b.idle = time.AfterFunc(idleAhead, b.dropIdle)
	}
}

// dropIdle gives up the ranges of a reader that has taken nothing for long. Their bytes are requested again when he does.
func (b *body) dropIdle() {
	if !b.mu.TryLock() {
		return // he does
	}
	defer b.mu.Unlock()
	b.dropAhead()
	b.look = b.at + b.version.o.Chunk
}

func (b *body) dropAhead() {
	if b.ahead != nil {
		b.ahead.close()
		b.ahead = nil
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.idle != nil {
		b.idle.Stop()
	}
	b.dropAhead()
	if b.direct != nil {
		b.direct.close()
		b.direct = nil
	}
	return nil
}
