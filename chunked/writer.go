package chunked

import (
	"context"
	"sync"

	"github.com/berth-dev/storagedriver"
)

var _ storagedriver.FileWriter = (*Writer)(nil)

// Writer is the [storagedriver.FileWriter] of every driver. Like any, it is used by one
// goroutine at a time.
type Writer struct {
	ctx     context.Context // the caller's
	proto   protocol
	token   string
	plan    plan
	options Options
	// maxObject is the most bytes of a Put; 0 is no limit.
	maxObject int64
	resumed   bool
	opened    storagedriver.Upload
	openSize  int64
	parts     *parts
	unhook    func() bool // keeps the end of ctx from suspending

	// mu is there for the suspend that the end of ctx starts on a goroutine of its own.
	mu       sync.Mutex
	state    state
	size     int64
	accepted bool
	tail     storagedriver.Source // of the resumed upload, until it is loaded
	cur      *buffer              // the part being collected
	next     int                  // its number
	offset   int64                // its offset
	closeErr error                // of a suspend, until Close has reported it
}

type state int

const (
	open state = iota
	suspended
	committed
	cancelled
)

func newWriter(ctx context.Context, proto protocol, upload storagedriver.Upload, maxObject int64, o Options) (*Writer, error) {
	o = o.of(upload.Limits)
	o.Budget = o.Budget.of(ctx)
	p, err := newPlan(upload.Limits, o.PartSize, o.Budget.Size(), upload)
	if err != nil {
		return nil, err
	}
	receipts := &storagedriver.Receipts{}
	for _, r := range upload.Receipts.All() {
		receipts.Set(r)
	}
	parallel := o.Parallel
	if upload.Limits.Sequential {
		parallel = 1
	}
	detached, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &Writer{
		ctx: ctx, proto: proto, token: upload.Token, plan: p, options: o, maxObject: maxObject,
		resumed: upload.Resumed, opened: upload, openSize: sizeOf(upload), size: sizeOf(upload),
		tail: upload.Tail, next: receipts.Len() + 1, offset: endOf(receipts),
		parts: &parts{
			proto: proto, token: upload.Token, digests: upload.Limits.Digests, parallel: parallel,
			budget: o.Budget, ctx: detached, stop: stop, receipts: receipts, changed: make(chan struct{}),
		},
	}
	w.unhook = context.AfterFunc(ctx, w.contextEnded)
	return w, nil
}

// Write implements storagedriver.FileWriter.
func (w *Writer) Write(p []byte) (int, error) {
	// Before the lock: a suspend may be running, and this call is to return at once.
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return 0, err
	}
	if err := w.parts.failure(); err != nil {
		return 0, err
	}
	if most := w.plan.limits.Total; most > 0 && int64(len(p)) > most-w.size {
		return 0, storagedriver.Errorf(storagedriver.KindLimit, "an upload may have %d bytes; %d have been accepted, and %d more came", most, w.size, len(p))
	}
	written := 0
	for written < len(p) {
		if err := w.room(); err != nil {
			return written, err
		}
		n := w.cur.fill(p[written:])
		written += n
		w.size += int64(n)
		w.accepted = true
	}
	return written, nil
}

func (w *Writer) usable() error {
	switch w.state {
	case committed:
		return storagedriver.NewError(storagedriver.KindClosed, "the upload has been committed")
	case cancelled:
		return storagedriver.NewError(storagedriver.KindClosed, "the upload has been cancelled")
	case suspended:
		if err := w.ctx.Err(); err != nil {
			return err
		}
		return storagedriver.NewError(storagedriver.KindClosed, "the writer has been closed")
	}
	return nil
}

// room makes sure that w.cur takes at least one byte. A full part stays until more
// comes: it may turn out to be the last, or the only one.
func (w *Writer) room() error {
	if w.cur != nil && w.cur.full() {
		size := int64(len(w.cur.data))
		if err := w.parts.start(w.ctx, w.next, w.offset, w.cur); err != nil {
			return err
		}
		w.cur, w.next, w.offset = nil, w.next+1, w.offset+size
	}
	if w.cur != nil {
		return nil
	}
	if err := w.begin(w.ctx); err != nil {
		return err
	}
	if w.cur.full() {
		return w.room()
	}
	return nil
}

// begin gets a buffer for the next part, with the tail of the resumed upload in it if that has not been loaded.
func (w *Writer) begin(ctx context.Context) error {
	size, err := w.plan.size(w.next)
	if err != nil {
		return err
	}
	buf, err := w.parts.buffer(ctx, size)
	if err != nil {
		return err
	}
	if w.tail != nil {
		if err := buf.load(ctx, w.tail); err != nil {
			w.parts.giveBack(buf)
			return err
		}
		w.tail = nil
	}
	w.cur = buf
	return nil
}

// Size implements storagedriver.FileWriter.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Commit implements storagedriver.FileWriter.
func (w *Writer) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.parts.wait(ctx); err != nil {
		return err
	}
	if err := w.commit(ctx); err != nil {
		return err
	}
	w.state = committed
	w.finish()
	return nil
}

func (w *Writer) commit(ctx context.Context) error {
	if w.cur == nil && w.tail != nil {
		// A backend may open what it is given more than once, which not every tail can be.
		if err := w.begin(ctx); err != nil {
			return err
		}
	}
	if w.cur == nil {
		return w.commitWith(ctx, nil)
	}
	body := lend(w.cur.data, w.cur)
	defer body.withdraw()
	return w.commitWith(ctx, body)
}

// commitWith commits the parts and last, which may be nil.
func (w *Writer) commitWith(ctx context.Context, last storagedriver.Source) error {
	if !w.resumed && w.next == 1 && (w.maxObject == 0 || w.size <= w.maxObject) {
		if last == nil {
			last = storagedriver.BytesSource(nil)
		}
		return w.proto.put(ctx, w.token, last)
	}
	return w.proto.commit(ctx, w.token, w.parts.receipts, last)
}

// Cancel implements storagedriver.FileWriter. After an error it may be repeated.
func (w *Writer) Cancel(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == committed || w.state == cancelled {
		return nil
	}
	if w.state == open {
		w.state = suspended // also when cancelling fails: there is no more writing
		w.finish()
	}
	if err := w.proto.cancel(ctx, w.token); err != nil {
		w.settle(context.WithoutCancel(ctx), 0) // any part of it may have been removed
		return err
	}
	w.state, w.size = cancelled, 0
	return nil
}

// finish returns everything the writer holds, and ends what is in flight.
func (w *Writer) finish() {
	w.unhook()
	w.parts.end(w.cur)
	w.cur = nil
}
