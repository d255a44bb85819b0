package ipc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// link is the host's end of the socket to one process.
type link struct {
	conn  net.Conn
	out   *sender
	in    *receiver
	clean func(text string) string // makes the driver's texts ones to be shown
	// settle and cancelTimeout are those of Config.
	settle, cancelTimeout time.Duration

	hello   chan storagedriver.Version // the driver's, once
	greeted bool                       // it has come; the goroutine that receives has this
	ended   chan struct{}              // closed when err is set and nothing more is received

	mu    sync.Mutex
	calls map[uint32]*pending
	next  uint32
	err   error
}

func newLink(conn net.Conn, c *Config, clean func(string) string) *link {
	l := &link{
		conn: conn, in: newReceiver(conn), clean: clean, settle: c.Settle, cancelTimeout: c.CancelTimeout,
		hello: make(chan storagedriver.Version, 1), ended: make(chan struct{}), calls: make(map[uint32]*pending),
	}
	l.out = newSender(conn, writeTimeout, func(err error) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = silence{fmt.Sprintf("it has not read what was sent for %v", l.out.timeout)}
		}
		l.fail(err)
	})
	return l
}

// writeTimeout is how long the driver may leave what was sent unread. Credit bounds what it has to keep, so that it can always read.
const writeTimeout = 10 * time.Second

// silence is a process that does not do in time what it must.
type silence struct{ text string }

func (s silence) Error() string { return s.text }

// receive takes what the driver sends until that ends, and then fails what is under way.
func (l *link) receive() {
	var err error
	for err == nil {
		var f frame
		if f, err = l.in.next(); err == nil {
			err = l.take(f)
		}
	}
	l.fail(err)
	close(l.ended)
}

// fail ends the link, with the first reason it is given. Nothing under way goes on.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	calls := l.calls
	l.calls = nil
	l.mu.Unlock()
	_ = l.conn.Close() // err is the error to tell
	for _, p := range calls {
		p.in.end(errLost)
		if p.timer != nil {
			p.timer.Stop()
		}
		close(p.lost)
	}
}

// errLost is what calls and bodies end with that the link took along. The driver says why.
var errLost = errors.New("the connection to the driver's process ended")

// reason is why the link ended, or nil.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// pending is a call under way.
type pending struct {
	l     *link
	id    uint32
	op    abi.Op
	in    *inflow                 // the reply's body
	out   *outflow                // the request's
	table *storagedriver.Receipts // of upload_open
	last  int64                   // the highest number in table

	replied chan struct{} // closed when message is there
	lost    chan struct{} // closed when the link ended before the call was over
	message []byte
	failed  error // what the request's body ended with, if not as it should; the sender's until it has ended
	// judged is closed when the request's body has ended once.
	judged chan struct{}
	timer  *time.Timer // kills the process when the call is not over in time
}

// begin registers a call.
func (l *link) begin(op abi.Op, table *storagedriver.Receipts) (*pending, error) {
	p := &pending{l: l, op: op, table: table, replied: make(chan struct{}), lost: make(chan struct{}), judged: make(chan struct{})}
	p.in = newInflow(func(n int) { // a reader does not wait for the driver to read; an error ends the link
		go func() { _ = l.out.sendNumber(context.Background(), p.id, frameCredit, uint32(n)) }()
	})
	p.out = newOutflow(func(ctx context.Context, kind frameType, payload []byte) error {
		return l.out.send(ctx, p.id, kind, payload)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		return nil, errLost
	}
	for taken := true; taken || l.next == 0; {
		l.next++
		_, taken = l.calls[l.next]
	}
	p.id = l.next
	l.calls[p.id] = p
	return p, nil
}

// over says that the call has ended: the driver sends nothing more for it.
func (p *pending) over() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	delete(p.l.calls, p.id)
	if p.timer != nil {
		p.timer.Stop()
	}
}

// take handles a frame of the driver's. An error is a violation.
func (l *link) take(f frame) error {
	l.mu.Lock()
	p := l.calls[f.call]
	l.mu.Unlock()
	if f.kind == frameHello {
		return l.takeHello(f)
	}
	if p == nil {
		switch f.kind {
		case frameCredit, frameAgain: // it may not know yet that its call is over
			return nil
		}
		return violated("%v for the call %d, which there is not", f.kind, f.call)
	}
	replied := false
	select {
	case <-p.replied:
		replied = true
	default:
	}
	switch f.kind {
	case frameReply:
		if replied {
			return violated("a second REPLY to %v", p.op)
		}
		p.message = f.payload
		close(p.replied)
		return nil
	case frameData:
		if !replied {
			return violated("DATA before the REPLY to %v", p.op)
		}
		return p.in.push(f.payload)
	case frameEnd:
		if !replied {
			return violated("END before the REPLY to %v", p.op)
		}
		err, bad := endOf(f.payload, l.clean)
		if bad != nil {
			return bad
		}
		p.over()
		p.in.end(err)
		return nil
	case frameCredit:
		if len(f.payload) != 4 {
			return violated("CREDIT of %d bytes", len(f.payload))
		}
		return p.out.add(binary.BigEndian.Uint32(f.payload))
	case frameAgain:
		if len(f.payload) > 0 {
			return violated("AGAIN of %d bytes", len(f.payload))
		}
		p.out.restart()
		return nil
	case frameReceipts:
		if replied {
			return violated("RECEIPTS after the REPLY to %v", p.op)
		}
		return p.takeReceipts(f.payload)
	}
	return violated("%v, which is the host's to send", f.kind)
}

func (p *pending) takeReceipts(payload []byte) error {
	var page abi.ReceiptsPage
	if err := abi.Decode(payload, &page); err != nil {
		return violated("RECEIPTS: %v", err)
	}
	if p.table == nil {
		return violated("RECEIPTS for %v", p.op)
	}
	for _, r := range page.Page {
		if r.Num <= p.last {
			return violated("RECEIPTS with the number %d after %d", r.Num, p.last)
		}
		p.last = r.Num
	}
	if err := guest.AddReceipts(p.table, page.Page); err != nil {
		return violated("RECEIPTS: %v", err)
	}
	return nil
}

// request is what a call sends.
type request struct {
	op       abi.Op
	message  abi.Message
	body     storagedriver.Source    // nil: none
	receipts *storagedriver.Receipts // nil: none
	table    *storagedriver.Receipts // that the driver fills, or nil
}

// call sends a request and waits for the reply, which is in pending.message. When the reply has no body, the caller calls over.
// When ctx ends the driver is told; it has settle to end what it does, or the call returns without it.
func (l *link) call(ctx context.Context, r request) (*pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, guest.ContextError(err)
	}
	var wait uint32
	if deadline, ok := ctx.Deadline(); ok {
		wait = uint32(min(max(time.Until(deadline).Milliseconds(), 1), math.MaxUint32))
	}
	payload, err := abi.Append(binary.BigEndian.AppendUint32([]byte{byte(r.op)}, wait), r.message)
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "%v: %w", r.op, err)
	}
	p, err := l.begin(r.op, r.table)
	if err != nil {
		return nil, err
	}
	unwatch := context.AfterFunc(ctx, func() { l.out.release(p.id) })
	err = l.out.send(ctx, p.id, frameCall, payload)
	unwatch()
	switch {
	case err == errUnsent:
		p.over()
		return nil, guest.ContextError(ctx.Err())
	case err != nil && err != ctx.Err():
		return nil, errLost
	}
	err = nil
	finish := p.sending(ctx, r)
	select {
	case <-p.replied:
		p.awaitVerdict(ctx, r)
	case <-p.lost:
		select {
		case <-p.replied: // before the end
		default:
			err = errLost
		}
	case <-ctx.Done():
		err = guest.ContextError(ctx.Err())
	}
	finish() // the body is lent until the call returns
	if err == nil || err == errLost {
		return p, err
	}
	p.abandon()
	settled := time.NewTimer(l.settle)
	defer settled.Stop()
	select {
	case <-p.replied:
	case <-p.lost:
	case <-settled.C:
	}
	return nil, err
}

// awaitVerdict waits for what the body's Source says at its end when the driver has answered with success as soon as it had all
// bytes. A driver may answer before.
func (p *pending) awaitVerdict(ctx context.Context, r request) {
	if r.body == nil || p.out.rest.Load() > 0 {
		return
	}
	if failure, err := abi.DecodeReply(p.message, &abi.Empty{}); err != nil || failure != nil {
		return
	}
	select {
	case <-p.judged:
	case <-p.lost:
	case <-ctx.Done():
	}
}

// sending begins to send what follows the CALL, if anything does. What it returns ends that, and waits for the end.
func (p *pending) sending(ctx context.Context, r request) (finish func()) {
	if r.body == nil && r.receipts == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := p.sendRest(ctx, r); err != nil && ctx.Err() == nil {
			p.l.fail(fmt.Errorf("writing to it: %w", err))
		}
	}()
	return func() {
		stop()
		p.l.out.release(p.id)
		<-sent
	}
}

// sendRest sends what follows a CALL. It returns when ctx ends, or there is nothing to be sent, and never will be.
func (p *pending) sendRest(ctx context.Context, r request) error {
	if r.receipts != nil {
		for last, full := 0, true; full; {
			page := r.receipts.Page(last, abi.MaxReceiptPage)
			payload, err := abi.Append(nil, &abi.ReceiptsPage{Page: guest.WireReceipts(page)})
			if err == nil {
				err = p.l.out.send(ctx, p.id, frameReceipts, payload)
			}
			if err != nil {
				return err
			}
			if full = len(page) == abi.MaxReceiptPage; full {
				last = page[len(page)-1].Number
			}
		}
	}
	for r.body != nil {
		err := p.sendBody(ctx, r.body)
		if err == nil {
			err = p.out.awaitAgain(ctx)
		}
		if !errors.Is(err, errAgain) {
			return err
		}
		p.out.reset()
		if err := p.l.out.send(ctx, p.id, frameAgain, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *pending) sendBody(ctx context.Context, body storagedriver.Source) error {
	r, err := body.Open(ctx)
	if err == nil {
		defer r.Close()
		err = p.out.copyContent(ctx, r, body.Size())
	}
	var unsent sendError
	if errors.As(err, &unsent) {
		return unsent.error
	}
	if ctx.Err() == nil {
		p.failed = err
	}
	select {
	case <-p.judged: // when it was sent before
	default:
		close(p.judged)
	}
	return p.out.send(ctx, frameEnd, ending(err))
}

// abandon tells the driver that nobody wants the call any more, and sees to it that it ends. It may be called more than once.
func (p *pending) abandon() {
	p.in.drop()
	p.l.mu.Lock()
	_, there := p.l.calls[p.id]
	if there && p.timer == nil {
		op := p.op
		p.timer = time.AfterFunc(p.l.cancelTimeout, func() {
			p.l.fail(silence{fmt.Sprintf("%v was cancelled and is not over after %v", op, p.l.cancelTimeout)})
		})
	} else {
		there = false
	}
	p.l.mu.Unlock()
	if there {
		go func() { _ = p.l.out.send(context.Background(), p.id, frameCancel, nil) }() // an error ends the link
		go p.forget()
	}
}

// forget waits for the reply of an abandoned call, which may have a body that is to end as well.
func (p *pending) forget() {
	select {
	case <-p.lost:
	case <-p.replied:
		var reply abi.ReadReply // the only key that counts is the same in all replies
		if failure, err := abi.DecodeReply(p.message, &reply); err != nil || failure != nil || reply.Body == 0 {
			p.over()
		}
	}
}

// endOf returns what an END says: io.EOF, or an error. The second result is a violation.
func endOf(payload []byte, clean func(string) string) (end, bad error) {
	if len(payload) == 0 {
		return io.EOF, nil
	}
	wire, err := abi.DecodeReply(payload, &abi.Empty{})
	switch {
	case err != nil:
		return nil, violated("END: %v", err)
	case wire == nil:
		return nil, violated("END with a message that is no error")
	}
	return guest.ErrorOf(wire, clean(wire.Message)), nil
}

// failure is the error message of err.
func failure(err error) []byte {
	payload, encodeErr := abi.Append(nil, guest.WireError(err))
	if encodeErr != nil { // it is clipped, so this is not to be
		payload, _ = abi.Append(nil, &abi.Error{Kind: abi.Kind(storagedriver.KindOf(err))})
	}
	return payload
}
