package timeout

import (
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// bufferSize is the most bytes that are asked for at a time: a copy of them costs less than handing over
	// the goroutine that waits, and a body may be left behind with one.
	bufferSize = 64 << 10
	// closeGrace is how long a Read that was left behind has to see that its context ended, before its
	// body is closed under it, which not every body is made for.
	closeGrace = 5 * time.Second
)

// watched returns r with the clock of w running whenever r is waited for.
func (b *backend) watched(r io.ReadCloser, w *watch) io.ReadCloser {
	if b.progress.limit == 0 {
		return &endingBody{r, w}
	}
	return &body{inner: r, watch: w, progress: b.progress, buffers: b.buffers}
}

// endingBody releases the context of its call when it is closed.
type endingBody struct {
	io.ReadCloser
	watch *watch
}

// Read implements io.Reader. The deadline of the opening may have passed as it was answered.
func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.watch.explain(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	defer b.watch.end()
	return b.ReadCloser.Close()
}

// body reads inner in a goroutine of its own, so that whoever reads the body is free when inner hangs.
// It is used by one goroutine at a time, except that Close may be called during Read.
type body struct {
	inner    io.ReadCloser
	watch    *watch
	progress bound
	buffers  *sync.Pool
	closing  sync.Once // of inner

	mu      sync.Mutex
	wants   chan int   // nil until the first Read; closed when no more is wanted
	gives   chan chunk // one for each that is wanted
	reading bool       // a Read waits
	left    bool       // a Read was left behind, and closes inner when it is back
	late    *time.Timer
	closed  bool
	err     error // what every further Read answers
}

type chunk struct {
	data   []byte
	buffer *[bufferSize]byte
	err    error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	gives, err := b.begin(min(len(p), bufferSize))
	if err != nil {
		return 0, err
	}
	select {
	case c := <-gives:
		n := copy(p, c.data)
		b.buffers.Put(c.buffer)
		return n, b.finish(c.err)
	case <-b.watch.ctx.Done():
		return 0, b.leave()
	}
}

// begin asks the goroutine, which the first Read starts, for n bytes.
func (b *body) begin(n int) (<-chan chunk, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, closedError()
	case b.err != nil:
		return nil, b.err
	}
	if b.wants == nil {
		b.wants, b.gives = make(chan int, 1), make(chan chunk, 1)
		go b.serve(b.wants, b.gives)
	}
	b.reading = true
	b.watch.start(b.progress)
	b.wants <- n // there is room: nothing is under way
	return b.gives, nil
}

func closedError() error {
	return storagedriver.NewError(storagedriver.KindClosed, "the body was closed")
}

// serve reads inner, until nobody wants any more.
func (b *body) serve(wants <-chan int, gives chan<- chunk) {
	for n := range wants {
		buffer := b.buffers.Get().(*[bufferSize]byte)
		n, err := b.inner.Read(buffer[:n])
		gives <- chunk{buffer[:n], buffer, err}
	}
	b.mu.Lock()
	left := b.left
	b.mu.Unlock()
	if left {
		b.late.Stop()
		_ = b.close() // whoever read it has gone
	}
}

// finish keeps the error that inner gave, explained.
func (b *body) finish(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.watch.pause()
	if err != nil && err != io.EOF {
		err = b.watch.explain(err)
	}
	b.err = err
	return err
}

// leave gives up the Read that waits.
func (b *body) leave() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if b.closed {
		return closedError()
	}
	b.abandon()
	b.err = b.watch.explain(b.watch.ctx.Err())
	return b.err
}

// abandon has the goroutine end when inner's Read does, and makes sure that it does. b.mu is held.
func (b *body) abandon() {
	b.left = true
	close(b.wants)
	b.late = time.AfterFunc(closeGrace, func() { _ = b.close() })
}

func (b *body) close() (err error) {
	b.closing.Do(func() { err = b.inner.Close() })
	return err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	switch {
	case b.left:
	case b.reading:
		b.abandon()
	case b.wants != nil:
		close(b.wants)
	}
	left := b.left
	b.mu.Unlock()
	if left {
		b.watch.end()
		return nil
	}
	defer b.watch.end()
	return b.close()
}
