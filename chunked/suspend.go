package chunked

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// Close implements storagedriver.FileWriter.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close()
	err := w.closeErr
	w.closeErr = nil
	return err
}

// contextEnded runs on a goroutine of its own when the caller's context ends.
func (w *Writer) contextEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close()
}

// close suspends an open writer. w.mu is held.
func (w *Writer) close() {
	if w.state != open {
		return
	}
	if w.accepted {
		w.closeErr = w.suspend()
	}
	w.state = suspended
	w.finish()
}

// suspend makes durable what was accepted, as far as it goes, and sets the size to
// what the next open will report.
func (w *Writer) suspend() error {
	detached := context.WithoutCancel(w.ctx)
	ctx, cancel := context.WithTimeout(detached, w.options.SuspendTimeout)
	defer cancel()
	// A quarter of the time is kept for recording what the parts have become.
	partsCtx, cancelParts := context.WithTimeout(ctx, w.options.SuspendTimeout*3/4)
	defer cancelParts()
	unhook := context.AfterFunc(partsCtx, w.parts.stop)
	defer unhook()

	var tail []byte
	err := w.parts.wait(partsCtx)
	if err != nil && partsCtx.Err() == nil {
		w.parts.retry()
		err = w.parts.wait(partsCtx)
	}
	if err == nil {
		tail, err = w.sendRest()
	} else {
		w.parts.stop()
		_ = w.parts.wait(context.Background())
	}
	if err != nil && partsCtx.Err() != nil {
		err = storagedriver.Errorf(storagedriver.KindDeadline, "what was accepted was not stored within %v of suspending: %w", w.options.SuspendTimeout*3/4, err)
	}
	if err = w.record(ctx, tail, err); err != nil {
		w.settle(detached, w.proto.stored(w.openSize, unbroken(w.parts.receipts)))
	}
	return err
}

// sendRest stores as a part what of the last buffer may be one, and returns the rest.
func (w *Writer) sendRest() (tail []byte, err error) {
	if w.cur == nil {
		return nil, nil
	}
	data := w.cur.data
	n := w.plan.part(int64(len(data)))
	if n == 0 {
		return data, nil
	}
	receipt, err := w.parts.attempt(&part{number: w.next, offset: w.offset, data: data[:n], buf: w.cur})
	if err != nil {
		return nil, err
	}
	w.parts.receipts.Set(receipt)
	return data[n:], nil
}

// record suspends the upload with its parts and the tail or, when some part failed for
// partErr, with what is before the gap.
func (w *Writer) record(ctx context.Context, tail []byte, partErr error) error {
	if partErr != nil {
		receipts := unbroken(w.parts.receipts)
		if receipts.Len() > w.opened.Receipts.Len() && storagedriver.KindOf(partErr) != storagedriver.KindConflict {
			_ = w.proto.suspend(ctx, w.token, receipts, nil) // the error to report is the first
		}
		return partErr
	}
	if len(tail) == 0 {
		return w.proto.suspend(ctx, w.token, w.parts.receipts, nil)
	}
	body := lend(tail, w.cur)
	defer body.withdraw()
	return w.proto.suspend(ctx, w.token, w.parts.receipts, body)
}

// settle sets the size to what the next open will report, after a suspend or a cancel that failed. Where the
// backend does not answer that either, it is guess, which must not be more.
func (w *Writer) settle(detached context.Context, guess int64) {
	ctx, cancel := context.WithTimeout(detached, w.options.SuspendTimeout/4)
	defer cancel()
	size, err := w.proto.durable(ctx)
	for n := 1; err != nil && repeatable(err) && pause(ctx, n, err); n++ {
		size, err = w.proto.durable(ctx)
	}
	if err != nil {
		size = guess
	}
	w.size = size
}
