package runtime

import (
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// storeRead opens content of a store. What of it the guest answers does not pass through the guest.
func (in *instance) storeRead(request []byte) (abi.Message, error) {
	var m abi.StoreReadRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if m.Len < -1 {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidOffset, "store_read: offset %d, length %d", m.Off, m.Len)
	}
	s, err := in.storeFor(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	if err := in.d.openBody(); err != nil {
		return nil, err
	}
	b := &storeBody{d: in.d}
	if b.use, err = in.d.stores.begin(in.ctx, false); err != nil {
		in.d.closeBody()
		return nil, err
	}
	r, n, err := s.backend.Read(b.use.ctx, m.Path, m.Off, m.Len)
	if err != nil {
		err = b.use.outcome(err)
		b.release()
		return nil, err
	}
	b.r, b.left = storagedriver.ExactBody(r, n), n
	if n == 0 {
		return &abi.StoreReadReply{}, b.Close()
	}
	h, err := in.table.add(slot{kind: kindBody, body: b})
	if err != nil {
		_ = b.Close() // the limit is the error to tell
		return nil, err
	}
	return &abi.StoreReadReply{Len: n, Body: h}, nil
}

// storeBody is content of a store, counted against Config.MaxOpenBodies until it is closed.
type storeBody struct {
	d   *driver
	use *storeUse

	mu     sync.Mutex
	r      io.ReadCloser // has its length, or fails
	left   int64
	closed bool
}

var _ body = (*storeBody)(nil)

func (b *storeBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, storagedriver.NewError(storagedriver.KindClosed, "the body is closed")
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil && err != io.EOF {
		err = b.use.outcome(err)
	}
	return n, err
}

// Close may be called more than once and from any goroutine: a Read under way ends.
func (b *storeBody) Close() error {
	if !b.mu.TryLock() {
		b.use.cancel()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	defer b.release()
	return b.r.Close()
}

func (b *storeBody) release() {
	b.use.end()
	b.d.closeBody()
}

// Left implements body.
func (b *storeBody) Left() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

// Hold implements body: what is read is read under the operation's context, not the call's.
func (b *storeBody) Hold() error {
	b.use.s.mu.Lock()
	defer b.use.s.mu.Unlock()
	if b.use.s.closed {
		return errClosedDriver
	}
	return nil
}

// checkRead implements body. Where in the object a body of a store stands is the guest's to know.
func (b *storeBody) checkRead(_, length int64) error { return b.checkTail(length) }

func (b *storeBody) checkTail(length int64) error {
	if left := b.Left(); left < length {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the store's body has %d bytes left, the guest promised %d", left, length)
	}
	return nil
}
