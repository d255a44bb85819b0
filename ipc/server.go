package ipc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// server is the driver's end of the socket.
type server struct {
	manifest []byte
	open     storagedriver.OpenFunc

	out *sender
	in  *receiver

	group sync.WaitGroup // of calls

	mu      sync.Mutex
	calls   map[uint32]*serving
	backend storagedriver.Backend // nil until open
	opening bool
}

// serve answers calls on conn until it ends, then ends the calls under way and closes the backend.
func serve(ctx context.Context, conn net.Conn, manifest []byte, open storagedriver.OpenFunc) error {
	s := &server{manifest: manifest, open: open, out: newSender(conn, 0, nil), in: newReceiver(conn), calls: map[uint32]*serving{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err := s.receive(ctx)
	cancel()
	for _, c := range s.underWay() {
		c.in.end(errHostGone)
	}
	s.group.Wait()
	if s.backend != nil {
		err = errors.Join(err, s.backend.Close())
	}
	return err
}

var errHostGone error = storagedriver.NewError(storagedriver.KindCanceled, "the host has ended")

func (s *server) underWay() (calls []*serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		calls = append(calls, c)
	}
	return calls
}

// receive takes frames until the host has closed the socket, which is nil.
func (s *server) receive(ctx context.Context) error {
	f, err := s.in.next()
	if closedByHost(err) {
		return nil
	}
	if err == nil && f.kind != frameHello {
		err = violated("the host began with %v", f.kind)
	}
	if err != nil {
		return err
	}
	host, err := parseHello(f.payload)
	if err != nil {
		return err
	}
	if err := sendHello(ctx, s.out); err != nil {
		return err
	}
	if !accepts(host, storagedriver.CurrentVersion) {
		return storagedriver.Errorf(storagedriver.KindUnsupported, "Berth speaks version %s and this driver %s: update Berth, or build the driver for its version", host, storagedriver.CurrentVersion)
	}
	for {
		f, err := s.in.next()
		switch {
		case closedByHost(err), errors.Is(err, io.ErrUnexpectedEOF), ctx.Err() != nil:
			return nil
		case err == nil:
			err = s.take(ctx, f)
		}
		if err != nil {
			return fmt.Errorf("the host: %w", err)
		}
	}
}

// closedByHost reports whether err is that of a socket that the host has closed: a reset when it has left something unread.
func closedByHost(err error) bool { return err == io.EOF || errors.Is(err, syscall.ECONNRESET) }

// serving is a call under way.
type serving struct {
	s      *server
	id     uint32
	op     abi.Op
	ctx    context.Context
	cancel context.CancelFunc
	in     *inflow  // the request's body, which comes; the goroutine that receives has it
	out    *outflow // the reply's

	receipts chan []abi.Receipt // pages of the request's; nil: it has none
	asked    atomic.Bool        // AGAIN was sent and not answered
	again    chan *inflow       // has the body that begins anew when the host has answered AGAIN

	mu     sync.Mutex // held while the body is opened
	body   *inflow    // which is opened next, or was last
	opened bool       // it was
	await  bool       // it is thrown away, and the one that takes its place was asked for
}

// receiptPages is room for all that a host may send, so that receiving never waits for a call.
const receiptPages = abi.MaxReceipts/abi.MaxReceiptPage + 2

// take handles a frame of the host's.
func (s *server) take(ctx context.Context, f frame) error {
	switch f.kind {
	case frameCall:
		return s.begin(ctx, f)
	case frameHello:
		return violated("a second HELLO")
	case frameReply:
		return violated("REPLY, which is the driver's to send")
	}
	s.mu.Lock()
	c := s.calls[f.call]
	s.mu.Unlock()
	if c == nil { // it is over, which the host does not know yet
		return nil
	}
	switch f.kind {
	case frameData:
		return c.in.push(f.payload)
	case frameEnd:
		err, bad := endOf(f.payload, func(text string) string { return text })
		if bad != nil {
			return bad
		}
		c.in.end(err)
		return nil
	case frameCredit:
		if len(f.payload) != 4 {
			return violated("CREDIT of %d bytes", len(f.payload))
		}
		return c.out.add(binary.BigEndian.Uint32(f.payload))
	case frameCancel:
		c.cancel()
		return nil
	case frameAgain:
		if !c.asked.CompareAndSwap(true, false) {
			return violated("AGAIN that nobody asked for")
		}
		c.in = newInflow(c.in.grant)
		c.again <- c.in // it has room: the one before was taken before this was asked for
		return nil
	case frameReceipts:
		if c.receipts == nil {
			return violated("RECEIPTS for %v", c.op)
		}
		var page abi.ReceiptsPage
		if err := abi.Decode(f.payload, &page); err != nil {
			return violated("RECEIPTS: %v", err)
		}
		select {
		case c.receipts <- page.Page:
			return nil
		default:
			return violated("more than %d receipts", abi.MaxReceipts)
		}
	}
	return violated("%v in a call", f.kind)
}

// callHeader is what stands before a CALL's message.
const callHeader = 5

func (s *server) begin(ctx context.Context, f frame) error {
	if len(f.payload) < callHeader {
		return violated("CALL of %d bytes", len(f.payload))
	}
	c := &serving{s: s, id: f.call, op: abi.Op(f.payload[0]), again: make(chan *inflow, 1)}
	if ms := binary.BigEndian.Uint32(f.payload[1:]); ms > 0 {
		c.ctx, c.cancel = context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	} else {
		c.ctx, c.cancel = context.WithCancel(ctx)
	}
	c.in = newInflow(func(n int) { _ = s.out.sendNumber(ctx, c.id, frameCredit, uint32(n)) }) // without a host there is nobody to be told
	c.body = c.in
	c.out = newOutflow(func(ctx context.Context, kind frameType, payload []byte) error {
		return s.out.send(ctx, c.id, kind, payload)
	})
	if c.op == abi.OpUploadSuspend || c.op == abi.OpUploadCommit {
		c.receipts = make(chan []abi.Receipt, receiptPages)
	}
	s.mu.Lock()
	_, taken := s.calls[c.id]
	if !taken {
		s.calls[c.id] = c
	}
	s.mu.Unlock()
	if taken {
		c.cancel()
		return violated("the call %d is under way", c.id)
	}
	s.group.Go(func() {
		defer c.cancel()
		c.run(f.payload[callHeader:])
	})
	return nil
}

// over ends the call: what comes of it is thrown away. It is called before the last frame is sent, after which the host may use its number again.
func (c *serving) over() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.s.calls, c.id)
}

// answer is what an operation answers.
type answer struct {
	message  abi.Message
	body     io.ReadCloser // nil: none
	size     int64
	receipts []storagedriver.Receipt
}

// run performs the operation and answers.
func (c *serving) run(message []byte) {
	a, err := c.perform(message)
	body := a.body
	var payload []byte
	if err == nil {
		if payload, err = abi.Append(nil, a.message); err != nil {
			err = storagedriver.Errorf(storagedriver.KindLimit, "the reply to %v: %w", c.op, err)
		}
	}
	if err == nil {
		err = c.sendReceipts(a.receipts)
	}
	if err != nil && body != nil {
		_ = body.Close() // err is the error to tell
		body = nil
	}
	if err != nil {
		payload = failure(err)
	}
	if body == nil {
		c.reply(payload)
		return
	}
	if err = c.s.out.send(c.s.life(), c.id, frameReply, payload); err == nil {
		err = c.out.copyContent(c.ctx, body, a.size)
	}
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	c.over()
	_ = c.s.out.send(c.s.life(), c.id, frameEnd, ending(err)) // without a host there is nobody to be told
}

// ending is the payload of an END.
func ending(err error) []byte {
	if err == nil {
		return nil
	}
	return failure(err)
}

// life is the context of what is sent whatever becomes of the call.
func (s *server) life() context.Context { return context.Background() }

func (c *serving) reply(payload []byte) {
	c.over()
	_ = c.s.out.send(c.s.life(), c.id, frameReply, payload) // without a host there is nobody to be told
}

// sendReceipts sends a table, if there is one: the last page is one that is not full.
func (c *serving) sendReceipts(receipts []storagedriver.Receipt) error {
	for full := len(receipts) > 0; full; {
		n := min(len(receipts), abi.MaxReceiptPage)
		full = n == abi.MaxReceiptPage
		payload, err := abi.Append(nil, &abi.ReceiptsPage{Page: guest.WireReceipts(receipts[:n])})
		if err != nil {
			return storagedriver.Errorf(storagedriver.KindLimit, "the receipts of %v: %w", c.op, err)
		}
		if err := c.s.out.send(c.s.life(), c.id, frameReceipts, payload); err != nil {
			return err
		}
		receipts = receipts[n:]
	}
	return nil
}

// table waits for the request's receipts.
func (c *serving) table() (*storagedriver.Receipts, error) {
	table := &storagedriver.Receipts{}
	for {
		select {
		case page := <-c.receipts:
			if err := guest.AddReceipts(table, page); err != nil {
				return nil, err
			}
			if len(page) < abi.MaxReceiptPage {
				return table, nil
			}
		case <-c.ctx.Done():
			return nil, guest.ContextError(c.ctx.Err())
		}
	}
}

// source is the request's body as a Source. Opening it again begins it anew, for which the one before is over.
func (c *serving) source(handle abi.Handle, size int64) storagedriver.Source {
	if handle == 0 {
		return nil
	}
	return &callSource{c, size}
}

type callSource struct {
	c    *serving
	size int64
}

func (s *callSource) Size() int64 { return s.size }

func (s *callSource) Open(ctx context.Context) (io.ReadCloser, error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened && !c.await {
		c.body.retire()
		c.asked.Store(true)
		if err := c.s.out.send(c.s.life(), c.id, frameAgain, nil); err != nil {
			return nil, err
		}
		c.await = true
	}
	c.opened = true
	if c.await {
		select {
		case c.body = <-c.again:
			c.await = false
		case <-ctx.Done():
			return nil, guest.ContextError(ctx.Err())
		case <-c.ctx.Done():
			return nil, guest.ContextError(c.ctx.Err())
		}
	}
	return storagedriver.ExactBody(callBody{inflowReader{c.body, ctx}}, s.size), nil
}

// callBody is one opening of the request's body. Closed, it is still there for the next.
type callBody struct{ inflowReader }

func (callBody) Close() error { return nil }

// opened is the backend that calls go to.
func (s *server) opened() (storagedriver.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backend == nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "a call before open")
	}
	return s.backend, nil
}

func (s *server) openBackend(ctx context.Context, message *abi.OpenRequest) (storagedriver.Backend, error) {
	s.mu.Lock()
	again := s.opening
	s.opening = true
	s.mu.Unlock()
	if again {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "open comes once")
	}
	var parameters map[string]any
	if err := json.Unmarshal(message.Params, &parameters); err != nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "open: the parameters are no JSON object")
	}
	b, err := s.open(ctx, parameters)
	if err == nil && b == nil {
		err = storagedriver.NewError(storagedriver.KindUnknown, "open returned neither a driver nor an error")
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.backend = b
	s.mu.Unlock()
	return b, nil
}
