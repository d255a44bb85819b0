package chunked

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// parts stores the parts of one writer and keeps account of its buffers.
type parts struct {
	proto    protocol
	token    string
	digests  []string
	parallel int
	budget   *Budget
	ctx      context.Context // detached from the caller's; governs the parts in flight
	stop     context.CancelFunc

	mu       sync.Mutex
	receipts *storagedriver.Receipts
	inFlight int
	held     int     // buffers drawn from the budget
	filling  bool    // one of them is with the writer
	spare    *buffer // one that waits to be filled
	failed   []*part
	err      error         // why the first of failed failed
	changed  chan struct{} // closed when a part ends
}

// part is one that is in flight or failed.
type part struct {
	number int
	offset int64
	data   []byte
	buf    *buffer // where data are
	digest map[string][]byte
}

// buffer returns an empty buffer of size bytes. Only a writer that holds none waits for
// the budget; others wait for a part of their own to end.
func (p *parts) buffer(ctx context.Context, size int64) (*buffer, error) {
	for {
		buf, first, changed, err := p.nextBuffer(size)
		if err != nil || buf != nil {
			return buf, err
		}
		if first {
			buf, err := p.budget.acquire(ctx, size)
			if err != nil {
				return nil, err
			}
			p.mu.Lock()
			p.held, p.filling = p.held+1, true
			p.mu.Unlock()
			return buf, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// nextBuffer returns a buffer, or first if the budget is to be waited for, or what to wait for.
func (p *parts) nextBuffer(size int64) (buf *buffer, first bool, changed chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, false, nil, p.err
	}
	if p.spare != nil && int64(cap(p.spare.data)) != size {
		p.release(p.spare)
		p.spare = nil
	}
	switch {
	case p.spare != nil:
		buf, p.spare = p.spare, nil
	case p.held == 0:
		return nil, true, nil, nil
	default:
		if buf = p.budget.tryAcquire(size); buf == nil {
			return nil, false, p.changed, nil
		}
		p.held++
	}
	p.filling = true
	return buf, false, nil, nil
}

// giveBack takes a buffer from the writer.
func (p *parts) giveBack(buf *buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filling = false
	p.keep(buf)
}

// keep makes buf the spare if the writer has none in hand, and releases it otherwise. p.mu is held.
func (p *parts) keep(buf *buffer) {
	buf.data = buf.data[:0]
	if p.filling || p.spare != nil || buf.inWrite() {
		p.release(buf)
		return
	}
	p.spare = buf
}

func (p *parts) release(buf *buffer) {
	p.held--
	p.budget.release(buf)
}

// start stores a part in the background, once fewer than parallel are in flight. After
// an error the buffer is still the writer's.
func (p *parts) start(ctx context.Context, number int, offset int64, buf *buffer) error {
	for {
		p.mu.Lock()
		err, changed := p.err, p.changed
		if err == nil && p.inFlight < p.parallel {
			p.inFlight++
			p.filling = false
			p.mu.Unlock()
			go p.send(&part{number: number, offset: offset, data: buf.data, buf: buf})
			return nil
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send stores a part that start or retry has counted as in flight.
func (p *parts) send(x *part) {
	receipt, err := p.attempt(x)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if err != nil {
		p.failed = append(p.failed, x)
		if p.err == nil {
			p.err = err
		}
	} else {
		p.receipts.Set(receipt)
		p.keep(x.buf)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *parts) attempt(x *part) (storagedriver.Receipt, error) {
	if x.digest == nil {
		x.digest = digests(p.digests, x.data)
	}
	var data []byte
	err := repeat(p.ctx, func() error {
		body := lend(x.data, x.buf)
		defer body.withdraw()
		var err error
		data, err = p.proto.putPart(p.ctx, p.token, storagedriver.Part{Number: x.number, Offset: x.offset, Body: body, Digests: x.digest})
		if err == nil && len(data) > storagedriver.MaxReceipt {
			err = storagedriver.Errorf(storagedriver.KindCorrupt, "the receipt of part %d has %d bytes, more than %d", x.number, len(data), storagedriver.MaxReceipt)
		}
		return err
	})
	return storagedriver.Receipt{Number: x.number, Offset: x.offset, Size: int64(len(x.data)), Data: data}, err
}

// repeat runs an operation that may be repeated up to PartAttempts times.
func repeat(ctx context.Context, f func() error) error {
	for n := 1; ; n++ {
		if err := f(); err == nil || n == PartAttempts || !repeatable(err) || !pause(ctx, n, err) {
			return err
		}
	}
}

// repeatable reports whether what failed with err may fare better soon.
func repeatable(err error) bool {
	switch storagedriver.KindOf(err) {
	case storagedriver.KindUnknown, storagedriver.KindUnavailable, storagedriver.KindGuest, storagedriver.KindDeadline:
		return true
	}
	return storagedriver.IsTemporary(err)
}

// pause waits before attempt n+1, and reports whether there should be one.
func pause(ctx context.Context, n int, err error) bool {
	var wait time.Duration
	if e := (*storagedriver.Error)(nil); errors.As(err, &e) {
		wait = e.RetryAfter
	}
	switch {
	case wait > maxRetryAfter:
		return false
	case wait == 0 && n > 1:
		wait = retryPause
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// wait waits until nothing is in flight, and returns why a part failed.
func (p *parts) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		inFlight, changed, err := p.inFlight, p.changed, p.err
		p.mu.Unlock()
		if inFlight == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// retry sends the failed parts again, for a suspend. Nothing must be in flight.
func (p *parts) retry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := p.failed
	p.failed, p.err = nil, nil
	p.inFlight = len(failed)
	for _, x := range failed {
		go p.send(x)
	}
}

// failure returns why a part failed, or nil.
func (p *parts) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// end cancels what is in flight, waits for it, and returns all buffers but cur to the
// budget; cur is what the writer was filling, or nil.
func (p *parts) end(cur *buffer) {
	p.stop()
	_ = p.wait(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	if cur != nil {
		p.release(cur)
	}
	for _, x := range p.failed {
		p.release(x.buf)
	}
	if p.spare != nil {
		p.release(p.spare)
	}
	p.failed, p.spare, p.filling = nil, nil, false
}
