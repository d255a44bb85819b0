package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// lent is the handle of a request's body and of its receipts: a call has one of each.
const lent abi.Handle = 1

// do makes a call without bodies, which guest.Calls builds upon.
func (b *backend) do(ctx context.Context, op abi.Op, message, reply abi.Message, check func() error) error {
	r, err := b.live(ctx)
	if err != nil {
		return err
	}
	if err := r.do(ctx, op, message, reply); err != nil || check == nil {
		return err
	}
	if err := check(); err != nil {
		return r.broken(op, err)
	}
	return nil
}

// run makes a call whose reply has no body.
func (b *backend) run(ctx context.Context, q request, reply abi.Message) error {
	r, err := b.live(ctx)
	if err != nil {
		return err
	}
	return r.run(ctx, q, reply)
}

// Read implements storagedriver.Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if offset < 0 || length < -1 {
		return nil, 0, storagedriver.Errorf(storagedriver.KindInvalidOffset, "offset %d, length %d", offset, length)
	}
	r, err := b.live(ctx)
	if err != nil {
		return nil, 0, err
	}
	var reply abi.ReadReply
	p, err := r.ask(ctx, request{op: abi.OpRead, message: &abi.ReadRequest{Path: path, Off: offset, Len: length}}, &reply)
	if err != nil {
		return nil, 0, err
	}
	if reply.Body == 0 {
		p.over()
	}
	switch {
	case reply.Len < 0 || length >= 0 && reply.Len > length:
		return nil, 0, r.broken(abi.OpRead, fmt.Errorf("it promises %d bytes, asked for %d", reply.Len, length))
	case reply.Body != 0 && len(reply.Data) > 0:
		return nil, 0, r.broken(abi.OpRead, fmt.Errorf("it answers with a body and with data"))
	case reply.Body != 0:
		return &bodyReader{r: r, p: p, ctx: ctx, want: reply.Len, left: reply.Len}, reply.Len, nil
	case int64(len(reply.Data)) != reply.Len:
		return nil, 0, r.broken(abi.OpRead, fmt.Errorf("it promises %d bytes and answers with %d", reply.Len, len(reply.Data)))
	}
	return io.NopCloser(bytes.NewReader(reply.Data)), reply.Len, nil
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	message := &abi.PutRequest{Path: path, Size: body.Size(), Body: lent}
	return b.run(ctx, request{op: abi.OpPut, message: message, body: body}, &abi.Empty{})
}

// bodyReader is the body of a reply: exactly want bytes. Closing it before its end tells the driver that nobody wants the rest.
type bodyReader struct {
	r          *running
	p          *pending
	ctx        context.Context
	want, left int64
	err        error // what every further Read answers
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	chunk, err := b.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, chunk)
	b.used(n)
	return n, b.err
}

// WriteTo implements io.WriterTo: without a copy.
func (b *bodyReader) WriteTo(w io.Writer) (total int64, err error) {
	for b.err == nil {
		chunk, err := b.next()
		if err != nil {
			break // b.err
		}
		n, err := w.Write(chunk)
		b.used(n)
		total += int64(n)
		if err == nil && n < len(chunk) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
	if b.err == io.EOF {
		return total, nil
	}
	return total, b.err
}

// next returns bytes that are there, waiting for some.
func (b *bodyReader) next() ([]byte, error) {
	chunk, err := b.p.in.wait(b.ctx)
	switch {
	case err == nil && int64(len(chunk)) > b.left:
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "the body goes on after the promised %d bytes", b.want)
	case err == io.EOF && b.left > 0:
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "the body ended after %d of %d bytes", b.want-b.left, b.want)
	case err != nil && err != io.EOF:
		err = b.r.explain(b.ctx, err)
	}
	b.err = err
	return chunk, err
}

// used says that n bytes were taken. The end is looked at together with the last bytes, so that a reader who stops at the promised length has its
// verdict.
func (b *bodyReader) used(n int) {
	b.p.in.consume(n)
	if b.left -= int64(n); b.left == 0 && n > 0 {
		_, _ = b.next() // b.err
	}
}

// Close implements io.Closer. It may be called while another goroutine reads.
func (b *bodyReader) Close() error {
	b.p.abandon()
	return nil
}
