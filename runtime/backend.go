package runtime

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// Read implements storagedriver.Backend. Bytes go from the backend's connection to the
// reader's caller; the guest is free for other calls by then.
func (d *driver) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if offset < 0 || length < -1 {
		return nil, 0, storagedriver.Errorf(storagedriver.KindInvalidOffset, "offset %d, length %d", offset, length)
	}
	in, err := d.acquire(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer d.release(in)
	var reply abi.ReadReply
	if err := in.call(abi.OpRead, &abi.ReadRequest{Path: path, Off: offset, Len: length}, &reply); err != nil {
		return nil, 0, err
	}
	switch {
	case length >= 0 && reply.Len > length:
		return nil, 0, in.fault(abi.OpRead, fmt.Errorf("it promises %d bytes, asked for %d", reply.Len, length))
	case reply.Body != 0 && len(reply.Data) > 0 && len(reply.Stream) == 0:
		return nil, 0, in.fault(abi.OpRead, fmt.Errorf("it answers with a body and with data"))
	case len(reply.Stream) > 0:
		s, err := in.stream(ctx, path, &reply)
		if err != nil {
			return nil, 0, err
		}
		return s, reply.Len, nil
	case reply.Len == 0:
		return io.NopCloser(bytes.NewReader(nil)), 0, nil
	case reply.Body == 0 && len(reply.Version) > 0:
		r, err := in.inPieces(ctx, path, offset, &reply)
		if err != nil {
			return nil, 0, err
		}
		return r, reply.Len, nil
	case reply.Body == 0 && int64(len(reply.Data)) != reply.Len:
		return nil, 0, in.fault(abi.OpRead, fmt.Errorf("it promises %d bytes and answers with %d, and with no version for more to be asked of", reply.Len, len(reply.Data)))
	case reply.Body == 0:
		return io.NopCloser(bytes.NewReader(reply.Data)), reply.Len, nil
	}
	b, err := in.takeBody(abi.OpRead, reply.Body)
	if err != nil {
		return nil, 0, err
	}
	if err := b.checkRead(offset, reply.Len); err != nil {
		_ = b.Close() // the check's failure is the error to tell
		return nil, 0, err
	}
	return &reader{b: b, want: reply.Len, left: reply.Len}, reply.Len, nil
}

// takeBody takes a body that a reply names out of the call.
func (in *instance) takeBody(op abi.Op, h abi.Handle) (body, error) {
	s, err := in.table.want(h, kindBody)
	if err != nil {
		return nil, in.fault(op, fmt.Errorf("its reply: %w", err))
	}
	b := s.body
	in.table.remove(h)
	if err := b.Hold(); err != nil {
		_ = b.Close() // the driver is closed, which is the error to tell
		return nil, err
	}
	return b, nil
}

// lend makes a source of the call; nil has no handle.
func (in *instance) lend(src storagedriver.Source) (h abi.Handle, size int64, err error) {
	if src == nil {
		return 0, 0, nil
	}
	// Opening it, and nothing else that the call does, feeds the call.
	h, err = in.table.add(slot{kind: kindSource, source: &source{src: fedSource{src, &in.d.pool}, ctx: in.ctx}})
	return h, src.Size(), err
}

// Put implements storagedriver.Backend. The body does not pass through the guest unless
// the guest reads it.
func (d *driver) Put(ctx context.Context, path string, body storagedriver.Source) error {
	in, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(in)
	request := abi.PutRequest{Path: path}
	if request.Body, request.Size, err = in.lend(body); err != nil {
		return err
	}
	return in.call(abi.OpPut, &request, &abi.Empty{})
}

// Redirect implements storagedriver.Backend. A URL of an origin that is not allowed is
// KindDenied, unless the call has it of a granted store.
func (d *driver) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	if err := d.Require(abi.OpRedirect, storagedriver.AbilityRedirect); err != nil {
		return "", err
	}
	in, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer d.release(in)
	request := &abi.RedirectRequest{Path: path, Method: options.Method, Remote: options.RemoteAddr, Forwarded: options.ForwardedFor}
	var reply abi.RedirectReply
	if err := in.call(abi.OpRedirect, request, &reply); err != nil || reply.URL == "" {
		return "", err
	}
	if slices.Contains(in.redirects, reply.URL) {
		return reply.URL, nil
	}
	if err := d.client.CheckURL(reply.URL); err != nil {
		return "", err
	}
	return reply.URL, nil
}
