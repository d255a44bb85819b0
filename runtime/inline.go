package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// inlined is content that the guest answers inline, a piece at a time: the next is asked for when the reader gets there.
type inlined struct {
	ctx     context.Context
	d       *driver
	path    string
	next    int64 // the offset behind data
	left    int64 // how many bytes there are from there
	data    []byte
	version []byte
	err     error // what every further Read answers
	closed  bool
}

// inPieces returns the reader of a reply that has a version.
func (in *instance) inPieces(ctx context.Context, path string, offset int64, reply *abi.ReadReply) (io.ReadCloser, error) {
	if err := checkInline(reply); err != nil {
		return nil, in.fault(abi.OpRead, err)
	}
	if can := in.d.Caps; int64(len(reply.Data)) < reply.Len && in.d.m.manifest.Instances == 1 && !(can.Has(storagedriver.AbilityMove) && can.Has(storagedriver.AbilityConcat)) {
		return nil, in.fault(abi.OpRead, errors.New("it answers with a part of the content and keeps its state in one instance: it has to declare move and concat, or that would have to be read while it puts"))
	}
	if err := in.d.openBody(); err != nil { // it holds a message
		return nil, err
	}
	r := &inlined{ctx: ctx, d: in.d, path: path, version: bytes.Clone(reply.Version)}
	r.take(offset, reply)
	return r, nil
}

func checkInline(reply *abi.ReadReply) error {
	switch n := int64(len(reply.Data)); {
	case len(reply.Version) > abi.MaxVersion:
		return fmt.Errorf("a version of %d bytes, more than %d", len(reply.Version), abi.MaxVersion)
	case n > reply.Len || n == 0:
		return fmt.Errorf("it promises %d bytes and answers with %d", reply.Len, n)
	}
	return nil
}

func (r *inlined) take(offset int64, reply *abi.ReadReply) {
	r.data = bytes.Clone(reply.Data)
	r.next = offset + int64(len(r.data))
	r.left = reply.Len - int64(len(r.data))
}

func (r *inlined) Read(p []byte) (int, error) {
	if r.err == nil && len(r.data) == 0 {
		if r.left == 0 {
			r.err = io.EOF
		} else if len(p) > 0 {
			r.err = r.more()
		}
	}
	if r.err != nil {
		r.data = nil
		return 0, r.err
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

// more asks for what is left.
func (r *inlined) more() error {
	// The one instance of a guest may run a call that waits for this reader: one whose body is read through another driver.
	limit := r.d.m.cfg.IdleTimeout
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	in, err := r.d.acquire(ctx)
	if err != nil {
		if r.ctx.Err() == nil && ctx.Err() != nil {
			return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: fmt.Errorf("no instance was free for %v to answer with what is left of the content", limit)}
		}
		return err
	}
	defer r.d.release(in)
	in.begin(r.ctx) // the limit was for the wait
	var reply abi.ReadReply
	if err := in.call(abi.OpRead, &abi.ReadRequest{Path: r.path, Off: r.next, Len: r.left}, &reply); err != nil {
		if kind := storagedriver.KindOf(err); kind == storagedriver.KindNotFound || kind == storagedriver.KindInvalidOffset {
			return storagedriver.Errorf(storagedriver.KindConflict, "the content was removed or replaced when %d bytes of it were left to read", r.left)
		}
		return err
	}
	switch {
	case !bytes.Equal(reply.Version, r.version):
		return storagedriver.Errorf(storagedriver.KindConflict, "the content was replaced when %d bytes of it were left to read", r.left)
	case reply.Len != r.left || reply.Body != 0 || len(reply.Stream) > 0:
		return in.fault(abi.OpRead, fmt.Errorf("asked for the %d bytes that are left of a version, it promises %d", r.left, reply.Len))
	}
	if err := checkInline(&reply); err != nil {
		return in.fault(abi.OpRead, err)
	}
	r.take(r.next, &reply)
	return nil
}

// Close holds no instance to give back: there is none between calls.
func (r *inlined) Close() error {
	if !r.closed {
		r.closed = true
		r.data = nil
		r.d.closeBody()
	}
	if r.err == nil || r.err == io.EOF {
		r.err = storagedriver.NewError(storagedriver.KindClosed, "the reader is closed")
	}
	return nil
}
