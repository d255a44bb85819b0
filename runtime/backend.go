package runtime

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// require refuses what the driver does not declare, before a guest is asked.
func (d *driver) require(op abi.Op, a storagedriver.Ability) error {
	if d.caps.Has(a) {
		return nil
	}
	return storagedriver.Errorf(storagedriver.KindUnsupported, "the driver %s does not have the ability %v, which %v needs", d.name, a, op)
}

// Stat implements storagedriver.Backend.
func (d *driver) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	var reply abi.Entry
	if err := d.do(ctx, abi.OpStat, &abi.PathRequest{Path: path}, &reply); err != nil {
		return storagedriver.Entry{}, err
	}
	reply.Name = ""
	return guest.EntryOf(&reply), nil
}

// List implements storagedriver.Backend.
func (d *driver) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return d.list(ctx, abi.OpList, &abi.ListRequest{Path: path, Cursor: cursor, Limit: limit})
}

// ListTree implements storagedriver.Backend.
func (d *driver) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	if err := d.require(abi.OpListTree, storagedriver.AbilityListTree); err != nil {
		return storagedriver.Page{}, err
	}
	return d.list(ctx, abi.OpListTree, &abi.ListRequest{Path: path, After: startAfter, Cursor: cursor, Limit: limit})
}

func (d *driver) list(ctx context.Context, op abi.Op, request *abi.ListRequest) (storagedriver.Page, error) {
	if request.Limit <= 0 || request.Limit > abi.MaxList {
		request.Limit = abi.MaxList
	}
	in, err := d.acquire(ctx)
	if err != nil {
		return storagedriver.Page{}, err
	}
	defer d.release(in)
	var reply abi.ListReply
	if err := in.call(op, request, &reply); err != nil {
		return storagedriver.Page{}, err
	}
	if err := guest.CheckPage(op, request, &reply); err != nil {
		return storagedriver.Page{}, in.fault(op, err)
	}
	page := storagedriver.Page{Cursor: reply.Cursor, Entries: make([]storagedriver.Entry, len(reply.Entries))}
	for i := range reply.Entries {
		page.Entries[i] = guest.EntryOf(&reply.Entries[i])
	}
	return page, nil
}

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
	case reply.Body != 0 && len(reply.Data) > 0:
		return nil, 0, in.fault(abi.OpRead, fmt.Errorf("it answers with a body and with data"))
	case reply.Len == 0:
		return io.NopCloser(bytes.NewReader(nil)), 0, nil
	case reply.Body == 0 && int64(len(reply.Data)) != reply.Len:
		return nil, 0, in.fault(abi.OpRead, fmt.Errorf("it promises %d bytes and answers with %d", reply.Len, len(reply.Data)))
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
func (in *instance) takeBody(op abi.Op, h abi.Handle) (*body, error) {
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
	in.ctx = in.d.pool.feed(in.ctx)
	h, err = in.table.add(slot{kind: kindSource, source: &source{src: src, ctx: in.ctx}})
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

// Delete implements storagedriver.Backend.
func (d *driver) Delete(ctx context.Context, path string) error {
	return d.do(ctx, abi.OpDelete, &abi.PathRequest{Path: path}, &abi.Empty{})
}

// DeleteTree implements storagedriver.Backend.
func (d *driver) DeleteTree(ctx context.Context, path string) error {
	if err := d.require(abi.OpDeleteTree, storagedriver.AbilityDeleteTree); err != nil {
		return err
	}
	return d.do(ctx, abi.OpDeleteTree, &abi.PathRequest{Path: path}, &abi.Empty{})
}

// Copy implements storagedriver.Backend.
func (d *driver) Copy(ctx context.Context, source, dest string) error {
	if err := d.require(abi.OpCopy, storagedriver.AbilityCopy); err != nil {
		return err
	}
	return d.do(ctx, abi.OpCopy, &abi.CopyRequest{Path: source, Dest: dest}, &abi.Empty{})
}

// Move implements storagedriver.Backend.
func (d *driver) Move(ctx context.Context, source, dest string) error {
	if err := d.require(abi.OpMove, storagedriver.AbilityMove); err != nil {
		return err
	}
	return d.do(ctx, abi.OpMove, &abi.CopyRequest{Path: source, Dest: dest}, &abi.Empty{})
}

// Concat implements storagedriver.Backend.
func (d *driver) Concat(ctx context.Context, dest string, sources []string) error {
	if err := d.require(abi.OpConcat, storagedriver.AbilityConcat); err != nil {
		return err
	}
	return d.do(ctx, abi.OpConcat, &abi.ConcatRequest{Dest: dest, Paths: sources}, &abi.Empty{})
}

// Redirect implements storagedriver.Backend. A URL of an origin that is not allowed is
// KindDenied.
func (d *driver) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	if err := d.require(abi.OpRedirect, storagedriver.AbilityRedirect); err != nil {
		return "", err
	}
	var reply abi.RedirectReply
	request := &abi.RedirectRequest{Path: path, Method: options.Method, Remote: options.RemoteAddr, Forwarded: options.ForwardedFor}
	if err := d.do(ctx, abi.OpRedirect, request, &reply); err != nil || reply.URL == "" {
		return "", err
	}
	if err := d.client.CheckURL(reply.URL); err != nil {
		return "", err
	}
	return reply.URL, nil
}
