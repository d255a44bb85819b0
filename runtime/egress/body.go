package egress

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/berth-dev/storagedriver"
)

// drainLimit is how much of an unread body is read so that its connection can be used
// again: less than what a new connection costs in round trips.
const drainLimit = 16 << 10

// drainTime bounds that: closing is not the place to wait for a slow line.
const drainTime = 100 * time.Millisecond

// Body is a response's body. It is used by one goroutine at a time, but for Abort.
type Body struct {
	x    *exchange
	ctx  context.Context // what the exchange was given
	r    io.ReadCloser
	read int64
	left int64 // -1 when not known
	done bool
}

// Offset is how many bytes have been read.
func (b *Body) Offset() int64 { return b.read }

// Left is how many bytes are still to come, -1 when that is not known.
func (b *Body) Left() int64 { return b.left }

// Read reads from the network. When the context ends, or there is no progress for the
// idle limit, it fails.
func (b *Body) Read(p []byte) (int, error) {
	b.x.reads.Add(1)
	n, err := b.r.Read(p)
	b.x.reads.Add(1)
	b.read += int64(n)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err == io.EOF {
		b.left = 0
	} else if err != nil {
		err = b.failure(err)
	}
	return n, err
}

func (b *Body) failure(err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if cause := context.Cause(b.x.ctx); cause != nil {
		return cause
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
		Err: fmt.Errorf("reading from %s: %w", b.x.origin, err)}
}

// Close ends the exchange.
func (b *Body) Close() error {
	if b.done {
		return nil
	}
	b.done = true
	if b.left != 0 && b.left <= drainLimit && b.x.ctx.Err() == nil {
		late := time.AfterFunc(drainTime, b.Abort)
		_, _ = io.CopyN(io.Discard, b, drainLimit) // on failure the connection is not used again, that is all
		late.Stop()
	}
	err := b.r.Close()
	b.x.end(errClosed)
	return err
}

// Hold makes Close of the Client end the exchange, as it does not by itself: the body
// outlives the call that made the request. After Close it is KindClosed.
func (b *Body) Hold() error {
	if !b.x.client.watcher.hold(b.x) {
		return errClientClosed
	}
	return nil
}

// Abort ends the exchange from another goroutine: a Read in progress fails.
func (b *Body) Abort() { b.x.cancel(errClosed) }

var errClosed error = storagedriver.NewError(storagedriver.KindClosed, "the body was closed")
