package ipc

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// tailTimeout is how long a tail that comes as a body waits to be opened, as chunked does at once.
const tailTimeout = time.Minute

// OpenUpload implements storagedriver.Uploads. A tail that comes as a body can be opened once, within tailTimeout.
func (b *backend) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	none := storagedriver.Upload{}
	if err := b.Require(abi.OpUploadOpen, storagedriver.AbilityParts); err != nil {
		return none, err
	}
	r, err := b.live(ctx)
	if err != nil {
		return none, err
	}
	table := &storagedriver.Receipts{}
	var reply abi.UploadOpenReply
	message := &abi.UploadOpenRequest{Path: path, Append: append, Receipts: lent}
	p, err := r.ask(ctx, request{op: abi.OpUploadOpen, message: message, table: table}, &reply)
	if err != nil {
		return none, err
	}
	if reply.Body == 0 {
		p.over()
	}
	limits, err := guest.LimitsOf(&reply.Limits)
	switch {
	case err != nil:
	case reply.Token == "" || len(reply.Token) > abi.MaxToken:
		err = fmt.Errorf("a token of %d bytes, not 1 to %d", len(reply.Token), abi.MaxToken)
	case reply.Body != 0 && len(reply.Tail) > 0:
		err = fmt.Errorf("it answers with a body and with a tail")
	case reply.Len < 0 || reply.Body == 0 && reply.Len != 0 && reply.Len != int64(len(reply.Tail)):
		err = fmt.Errorf("a tail of %d bytes, of which it answers with %d", reply.Len, len(reply.Tail))
	}
	if err != nil {
		return none, r.broken(abi.OpUploadOpen, err)
	}
	if limits.Count == 0 || limits.Count > abi.MaxReceipts {
		limits.Count = abi.MaxReceipts // more cannot be ended
	}
	up := storagedriver.Upload{Token: reply.Token, Resumed: reply.Resumed, Limits: limits}
	if table.Len() > 0 {
		up.Receipts = table
	}
	switch {
	case len(reply.Tail) > 0:
		up.Tail = storagedriver.BytesSource(reply.Tail)
	case reply.Body != 0:
		up.Tail = &onceSource{
			body: &bodyReader{r: r, p: p, ctx: ctx, want: reply.Len, left: reply.Len}, size: reply.Len, timer: time.AfterFunc(tailTimeout, p.abandon),
		}
	}
	return up, nil
}

// onceSource is a body that can be opened once.
type onceSource struct {
	size  int64
	timer *time.Timer // abandons it
	mu    sync.Mutex
	body  *bodyReader // nil once it was opened
}

func (s *onceSource) Size() int64 { return s.size }

func (s *onceSource) Open(ctx context.Context) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := s.body
	if s.body = nil; body == nil {
		return nil, storagedriver.NewError(storagedriver.KindUnsupported, "the tail of an upload can be opened once")
	}
	s.timer.Stop()
	body.ctx = ctx
	return body, nil
}

// PutPart implements storagedriver.Uploads.
func (b *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	if err := b.Require(abi.OpUploadPart, storagedriver.AbilityParts); err != nil {
		return nil, err
	}
	r, err := b.live(ctx)
	if err != nil {
		return nil, err
	}
	var reply abi.UploadPartReply
	message := &abi.UploadPartRequest{Token: token, Num: int64(part.Number), Off: part.Offset, Size: part.Body.Size(), Body: lent, Digests: part.Digests}
	if err := r.run(ctx, request{op: abi.OpUploadPart, message: message, body: part.Body}, &reply); err != nil {
		return nil, err
	}
	if len(reply.Data) > abi.MaxReceipt {
		return nil, r.broken(abi.OpUploadPart, fmt.Errorf("a receipt of %d bytes, more than %d", len(reply.Data), abi.MaxReceipt))
	}
	return reply.Data, nil
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, table *storagedriver.Receipts, tail storagedriver.Source) error {
	return b.endUpload(ctx, abi.OpUploadSuspend, token, table, tail)
}

// CommitUpload implements storagedriver.Uploads.
func (b *backend) CommitUpload(ctx context.Context, token string, table *storagedriver.Receipts, last storagedriver.Source) error {
	return b.endUpload(ctx, abi.OpUploadCommit, token, table, last)
}

func (b *backend) endUpload(ctx context.Context, op abi.Op, token string, table *storagedriver.Receipts, rest storagedriver.Source) error {
	if err := b.Require(op, storagedriver.AbilityParts); err != nil {
		return err
	}
	if table == nil {
		table = &storagedriver.Receipts{}
	}
	message := guest.EndRequest(op, token, table, rest)
	message.Receipts = lent
	if rest != nil {
		message.Body = lent
	}
	return b.run(ctx, request{op: op, message: message, body: rest, receipts: table}, &abi.Empty{})
}
