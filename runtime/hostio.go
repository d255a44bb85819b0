package runtime

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// input returns what a source or body handle reads from.
func (in *instance) input(h abi.Handle) (io.Reader, error) {
	s, err := in.table.get(h)
	if err != nil {
		return nil, err
	}
	switch s.kind {
	case kindSource:
		return s.source, nil
	case kindBody:
		return s.body, nil
	}
	return nil, wrongKind(h, s.kind, "a source or a body")
}

// hostRead: read(handle, ptr, len) -> bytes read, 0 at the end.
func hostRead(ctx context.Context, mem engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	p := view(mem, stack[1], stack[2])
	if in.describing {
		stack[0] = deniedNow()
		return
	}
	n, err := in.read(abi.Handle(stack[0]), p)
	if err != nil {
		stack[0] = in.failed(err)
		return
	}
	stack[0] = uint64(n)
}

func (in *instance) read(h abi.Handle, p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	r, err := in.input(h)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	for range 100 { // a reader may return nothing, but not for ever
		n, err := r.Read(p)
		if n > 0 {
			return n, nil // an error comes back at the next read
		}
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// hostWrite: write(handle, ptr, len) -> len.
func hostWrite(ctx context.Context, mem engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	p := view(mem, stack[1], stack[2])
	if in.describing {
		stack[0] = deniedNow()
		return
	}
	s, err := in.sink(abi.Handle(stack[0]))
	if err == nil {
		err = s.write(p)
	}
	if err != nil {
		stack[0] = in.failed(err)
		return
	}
	stack[0] = uint64(len(p))
}

func (in *instance) sink(h abi.Handle) (sink, error) {
	if err := in.ctx.Err(); err != nil {
		return nil, err
	}
	s, err := in.table.want(h, kindSink)
	if err != nil {
		return nil, err
	}
	return s.sink, nil
}

// hostSplice: splice(dst, src, n) -> bytes moved.
func hostSplice(ctx context.Context, _ engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	if in.describing {
		stack[0] = deniedNow()
		return
	}
	n, err := in.splice(abi.Handle(stack[0]), abi.Handle(stack[1]), int64(stack[2]))
	if err != nil {
		stack[0] = in.failed(err)
		return
	}
	stack[0] = uint64(n)
}

// splice moves n bytes, -1 for all that there are. Fewer means that the source ended.
func (in *instance) splice(dst, src abi.Handle, n int64) (int64, error) {
	if n < -1 {
		return 0, storagedriver.Errorf(storagedriver.KindInvalidArgument, "splice of %d bytes", n)
	}
	s, err := in.sink(dst)
	if err != nil {
		return 0, err
	}
	r, err := in.input(src)
	if err != nil {
		return 0, err
	}
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	var moved int64
	for n < 0 || moved < n {
		p := buf[:]
		if n >= 0 && n-moved < int64(len(p)) {
			p = p[:n-moved]
		}
		got, err := r.Read(p)
		if werr := s.write(p[:got]); werr != nil {
			return moved, werr
		}
		moved += int64(got)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = in.ctx.Err()
		}
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// hostClose: close(handle) -> 0.
func hostClose(ctx context.Context, _ engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	h := abi.Handle(stack[0])
	if in.describing {
		stack[0] = deniedNow()
		return
	}
	s, err := in.table.get(h)
	if err != nil {
		stack[0] = in.failed(err)
		return
	}
	s.close()
	in.table.remove(h)
	stack[0] = 0
}

// receiptsGet answers one page of a table.
func (in *instance) receiptsGet(request []byte) (abi.Message, error) {
	var m abi.ReceiptsGetRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.table.want(m.Receipts, kindReceipts)
	if err != nil {
		return nil, err
	}
	if m.Limit < 1 || m.Limit > abi.MaxReceiptPage {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "receipts_get: the limit %d is not 1 to %d", m.Limit, abi.MaxReceiptPage)
	}
	reply := &abi.ReceiptsPage{}
	reply.Page = guest.WireReceipts(s.receipts.table.Page(int(m.After), m.Limit))
	return reply, nil
}

// receiptsSet adds receipts to a table that the operation asked the guest to fill.
func (in *instance) receiptsSet(request []byte) (abi.Message, error) {
	var m abi.ReceiptsPage
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.table.want(m.Receipts, kindReceipts)
	if err != nil {
		return nil, err
	}
	if !s.receipts.fill {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "receipts_set: these receipts are the host's")
	}
	if err := guest.AddReceipts(s.receipts.table, m.Page); err != nil {
		return nil, err
	}
	return &abi.Empty{}, nil
}
