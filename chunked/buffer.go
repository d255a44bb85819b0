package chunked

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// buffer collects one part.
type buffer struct {
	data   []byte // its capacity is the part's size
	mapped bool   // the bytes are no memory of Go's
	// writes is read-locked by every Write that has bytes of data. Who goes on using them when they have
	// been withdrawn locks it; one Write may last until its connection breaks.
	writes sync.RWMutex
}

// inWrite reports whether somebody still has the bytes, which have been withdrawn.
func (b *buffer) inWrite() bool {
	if !b.writes.TryLock() {
		return true
	}
	b.writes.Unlock()
	return false
}

// minMapped is the fewest bytes of a buffer worth a mapping of its own: a huge page of the
// most usual systems has 2 MiB, and the parts of a registry have 5 MiB and more.
const minMapped = 1 << 20

func newBuffer(size int64) *buffer {
	if size >= minMapped {
		if b := mapBytes(int(size)); b != nil {
			return &buffer{data: b[:0:size], mapped: true}
		}
	}
	return &buffer{data: make([]byte, 0, size)}
}

// unmap gives the bytes back to the system. Nobody may have them any more.
func (b *buffer) unmap() {
	if b.mapped {
		unmapBytes(b.data[:cap(b.data)])
	}
	b.data = nil
}

func (b *buffer) full() bool { return len(b.data) == cap(b.data) }

// fill takes as much of p as there is room for.
func (b *buffer) fill(p []byte) int {
	n := min(len(p), cap(b.data)-len(b.data))
	b.data = append(b.data, p[:n]...)
	return n
}

// load reads size bytes of body to the buffer, which has room for them.
func (b *buffer) load(ctx context.Context, source storagedriver.Source) error {
	body, err := source.Open(ctx)
	if err != nil {
		return err
	}
	at := len(b.data)
	exact := storagedriver.ExactBody(body, source.Size())
	_, err = io.ReadFull(exact, b.data[at:at+int(source.Size())])
	if closeErr := exact.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		b.data = b.data[:at+int(source.Size())]
	}
	return err
}

// loan lends bytes as a Source until they are withdrawn. A transport may go on reading
// a request's body after the request has been answered (net/http does); it must not
// meet the next part's bytes there.
type loan struct {
	mu        sync.RWMutex
	data      []byte
	withdrawn bool
	of        *buffer // where data are
}

// lend lends data, which are of the buffer.
func lend(data []byte, of *buffer) *loan { return &loan{data: data, of: of} }

// withdraw ends the loan. A Write of the bytes may be under way still: see buffer.inWrite.
func (l *loan) withdraw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data, l.withdrawn = nil, true
}

// Size implements storagedriver.Source.
func (l *loan) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return int64(len(l.data))
}

// Open implements storagedriver.Source.
func (l *loan) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &loanBody{loan: l}, nil
}

type loanBody struct {
	loan   *loan
	at     int
	closed bool
}

func (b *loanBody) Read(p []byte) (int, error) {
	b.loan.mu.RLock()
	defer b.loan.mu.RUnlock()
	switch {
	case b.closed || b.loan.withdrawn:
		return 0, withdrawnError()
	case b.at == len(b.loan.data):
		return 0, io.EOF
	}
	n := copy(p, b.loan.data[b.at:])
	b.at += n
	return n, nil
}

// maxWrite is the most bytes that WriteTo hands over at a time.
const maxWrite = 1 << 20

// WriteTo implements io.WriterTo, which saves whoever copies to a file a copy in memory. The buffer is used
// no more before the Write that is under way has ended; nobody waits for that.
func (b *loanBody) WriteTo(w io.Writer) (written int64, err error) {
	for {
		n, err := b.writeSome(w)
		written += int64(n)
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

func (b *loanBody) writeSome(w io.Writer) (int, error) {
	p, err := b.take()
	if err != nil {
		return 0, err
	}
	defer b.loan.of.writes.RUnlock()
	n, err := w.Write(p)
	b.at += n
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// take returns the bytes of the next Write, with loan.of.writes locked for reading.
func (b *loanBody) take() ([]byte, error) {
	b.loan.mu.RLock()
	defer b.loan.mu.RUnlock()
	switch {
	case b.closed || b.loan.withdrawn:
		return nil, withdrawnError()
	case b.at == len(b.loan.data):
		return nil, io.EOF
	}
	b.loan.of.writes.RLock() // whoever locks it has withdrawn the loan before
	return b.loan.data[b.at:min(b.at+maxWrite, len(b.loan.data))], nil
}

func withdrawnError() error {
	return storagedriver.NewError(storagedriver.KindClosed, "the part's body is read after its call has ended")
}

func (b *loanBody) Close() error {
	b.loan.mu.RLock()
	defer b.loan.mu.RUnlock()
	b.closed = true
	return nil
}
