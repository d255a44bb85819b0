package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// lent is the handle of a request's body and of its receipts: a call has one of each.
const lent abi.Handle = 1

// Name implements storagedriver.Backend.
func (b *backend) Name() string { return b.d.manifest.Name }

// Capabilities implements storagedriver.Backend.
func (b *backend) Capabilities() storagedriver.Capabilities { return b.caps }

// require refuses what the driver does not declare, before it is asked.
func (b *backend) require(op abi.Op, a storagedriver.Ability) error {
	if b.caps.Has(a) {
		return nil
	}
	return storagedriver.Errorf(storagedriver.KindUnsupported, "the driver %s does not have the ability %v, which %v needs", b.Name(), a, op)
}

// do makes a call without bodies.
func (b *backend) do(ctx context.Context, op abi.Op, message, reply abi.Message) error {
	return b.run(ctx, request{op: op, message: message}, reply)
}

// run makes a call whose reply has no body.
func (b *backend) run(ctx context.Context, q request, reply abi.Message) error {
	r, err := b.live(ctx)
	if err != nil {
		return err
	}
	return r.run(ctx, q, reply)
}

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	var reply abi.Entry
	if err := b.do(ctx, abi.OpStat, &abi.PathRequest{Path: path}, &reply); err != nil {
		return storagedriver.Entry{}, err
	}
	reply.Name = ""
	return guest.EntryOf(&reply), nil
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return b.list(ctx, abi.OpList, &abi.ListRequest{Path: path, Cursor: cursor, Limit: limit})
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	if err := b.require(abi.OpListTree, storagedriver.AbilityListTree); err != nil {
		return storagedriver.Page{}, err
	}
	return b.list(ctx, abi.OpListTree, &abi.ListRequest{Path: path, After: startAfter, Cursor: cursor, Limit: limit})
}

func (b *backend) list(ctx context.Context, op abi.Op, message *abi.ListRequest) (storagedriver.Page, error) {
	if message.Limit <= 0 || message.Limit > abi.MaxList {
		message.Limit = abi.MaxList
	}
	r, err := b.live(ctx)
	if err != nil {
		return storagedriver.Page{}, err
	}
	var reply abi.ListReply
	if err := r.do(ctx, op, message, &reply); err != nil {
		return storagedriver.Page{}, err
	}
	if err := guest.CheckPage(op, message, &reply); err != nil {
		return storagedriver.Page{}, r.broken(op, err)
	}
	page := storagedriver.Page{Cursor: reply.Cursor, Entries: make([]storagedriver.Entry, len(reply.Entries))}
	for i := range reply.Entries {
		page.Entries[i] = guest.EntryOf(&reply.Entries[i])
	}
	return page, nil
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

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return b.do(ctx, abi.OpDelete, &abi.PathRequest{Path: path}, &abi.Empty{})
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	if err := b.require(abi.OpDeleteTree, storagedriver.AbilityDeleteTree); err != nil {
		return err
	}
	return b.do(ctx, abi.OpDeleteTree, &abi.PathRequest{Path: path}, &abi.Empty{})
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	if err := b.require(abi.OpCopy, storagedriver.AbilityCopy); err != nil {
		return err
	}
	return b.do(ctx, abi.OpCopy, &abi.CopyRequest{Path: source, Dest: dest}, &abi.Empty{})
}

// Move implements storagedriver.Backend.
func (b *backend) Move(ctx context.Context, source, dest string) error {
	if err := b.require(abi.OpMove, storagedriver.AbilityMove); err != nil {
		return err
	}
	return b.do(ctx, abi.OpMove, &abi.CopyRequest{Path: source, Dest: dest}, &abi.Empty{})
}

// Concat implements storagedriver.Backend.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	if err := b.require(abi.OpConcat, storagedriver.AbilityConcat); err != nil {
		return err
	}
	return b.do(ctx, abi.OpConcat, &abi.ConcatRequest{Dest: dest, Paths: sources}, &abi.Empty{})
}

// Redirect implements storagedriver.Backend. A process is not held to origins.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	if err := b.require(abi.OpRedirect, storagedriver.AbilityRedirect); err != nil {
		return "", err
	}
	var reply abi.RedirectReply
	message := &abi.RedirectRequest{Path: path, Method: options.Method, Remote: options.RemoteAddr, Forwarded: options.ForwardedFor}
	if err := b.do(ctx, abi.OpRedirect, message, &reply); err != nil {
		return "", err
	}
	return reply.URL, nil
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
		err = b.r.explain(err)
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
