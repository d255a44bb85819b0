package egress

import (
	"context"
	"errors"
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
	over error // what every Read answers past Config.MaxResponse
	done bool
}

// Offset is how many bytes have been read.
func (b *Body) Offset() int64 { return b.read }

// Left is how many bytes are still to come, -1 when that is not known.
func (b *Body) Left() int64 { return b.left }

// Read reads from the network. When the context ends, or there is no progress for the
// idle limit, it fails, and past Config.MaxResponse it is KindLimit.
func (b *Body) Read(p []byte) (int, error) {
	if b.over != nil {
		return 0, b.over
	}
	limit := b.x.client.cfg.MaxResponse
	if limit > 0 && int64(len(p)) > limit-b.read {
		p = p[:limit-b.read+1] // the one byte more tells
	}
	b.x.reads.Add(1)
	n, err := b.r.Read(p)
	b.x.reads.Add(1)
	if limit > 0 && int64(n) > limit-b.read {
		n--
		b.over = storagedriver.Errorf(storagedriver.KindLimit, "%s answers with more than the %d bytes of the limit on a response", b.x.grant.origin, limit)
		err = b.over
	}
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

// drop ends the exchange of a response that nobody is given.
func (b *Body) drop(cause error) {
	b.done = true
	b.x.cancel(cause) // the connection is not used again
	_ = b.r.Close()   // cause is the error to tell
	b.x.end(cause)
}

func (b *Body) failure(err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if cause := context.Cause(b.x.ctx); cause != nil {
		return cause
	}
	var classified *storagedriver.Error
	if errors.As(err, &classified) { // the guard's, or that of the limit
		return err
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
		Err: fmt.Errorf("reading from %s: %w", b.x.grant.origin, b.x.unquoted(err))}
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
