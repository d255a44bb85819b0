package runtime

import (
	"context"
	"fmt"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// OpenUpload implements storagedriver.Backend. A tail that is a response's body can be
// opened once, under the context given here.
func (d *driver) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	var reply abi.UploadOpenReply
	up, err := d.askUpload(ctx, path, append, &reply)
	if err == nil && reply.Store != "" {
		return d.openDelegated(ctx, path, append, &reply)
	}
	return up, err
}

// askUpload asks the guest for the upload. There is none if it is delegated.
func (d *driver) askUpload(ctx context.Context, path string, append bool, reply *abi.UploadOpenReply) (storagedriver.Upload, error) {
	none := storagedriver.Upload{}
	in, err := d.acquireParts(ctx, abi.OpUploadOpen)
	if err != nil {
		return none, err
	}
	defer d.release(in)
	table := &storagedriver.Receipts{}
	request := abi.UploadOpenRequest{Path: path, Append: append}
	if request.Receipts, err = in.table.add(slot{kind: kindReceipts, receipts: &receipts{table: table, fill: true}}); err != nil {
		return none, err
	}
	if err := in.call(abi.OpUploadOpen, &request, reply); err != nil {
		return none, err
	}
	if reply.Store != "" || reply.Dest != "" || reply.Transform {
		if err := d.checkDelegation(reply, table.Len()); err != nil {
			return none, in.fault(abi.OpUploadOpen, err)
		}
		return none, nil
	}
	if reply.Token == "" || len(reply.Token) > abi.MaxToken {
		return none, in.fault(abi.OpUploadOpen, fmt.Errorf("a token of %d bytes, not 1 to %d", len(reply.Token), abi.MaxToken))
	}
	if strings.HasPrefix(reply.Token, delegatedMark) {
		return none, in.fault(abi.OpUploadOpen, fmt.Errorf("a token that begins with %q, as the host's do", delegatedMark))
	}
	limits, err := guest.LimitsOf(&reply.Limits)
	if err != nil {
		return none, in.fault(abi.OpUploadOpen, err)
	}
	up := storagedriver.Upload{Token: reply.Token, Resumed: reply.Resumed, Limits: limits}
	if table.Len() > 0 {
		up.Receipts = table
	}
	up.Tail, err = in.tail(reply)
	return up, err
}

// tail returns what an upload was suspended with after its last part.
func (in *instance) tail(reply *abi.UploadOpenReply) (storagedriver.Source, error) {
	switch {
	case reply.Body != 0 && len(reply.Tail) > 0:
		return nil, in.fault(abi.OpUploadOpen, fmt.Errorf("it answers with a body and with a tail"))
	case len(reply.Tail) > 0:
		return storagedriver.BytesSource(reply.Tail), nil
	case reply.Body == 0 && reply.Len != 0:
		return nil, in.fault(abi.OpUploadOpen, fmt.Errorf("it promises a tail of %d bytes and answers with none", reply.Len))
	case reply.Body == 0 || reply.Len == 0:
		return nil, nil
	}
	b, err := in.takeBody(abi.OpUploadOpen, reply.Body)
	if err != nil {
		return nil, err
	}
	if err := b.checkTail(reply.Len); err != nil {
		_ = b.Close() // the check's failure is the error to tell
		return nil, err
	}
	return newOnceSource(b, reply.Len, in.d.m.cfg.IdleTimeout), nil
}

// PutPart implements storagedriver.Backend.
func (d *driver) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	u, err := d.delegation(token)
	switch {
	case err != nil:
		return nil, err
	case u != nil:
		return u.part(ctx, part)
	}
	in, err := d.acquireParts(ctx, abi.OpUploadPart)
	if err != nil {
		return nil, err
	}
	defer d.release(in)
	request := abi.UploadPartRequest{Token: token, Num: int64(part.Number), Off: part.Offset, Digests: part.Digests}
	if request.Body, request.Size, err = in.lend(part.Body); err != nil {
		return nil, err
	}
	var reply abi.UploadPartReply
	if err := in.call(abi.OpUploadPart, &request, &reply); err != nil {
		return nil, err
	}
	if len(reply.Data) > abi.MaxReceipt {
		return nil, in.fault(abi.OpUploadPart, fmt.Errorf("a receipt of %d bytes, more than %d", len(reply.Data), abi.MaxReceipt))
	}
	return reply.Data, nil
}

// SuspendUpload implements storagedriver.Backend.
func (d *driver) SuspendUpload(ctx context.Context, token string, table *storagedriver.Receipts, tail storagedriver.Source) error {
	u, err := d.delegation(token)
	switch {
	case err != nil:
		return err
	case u != nil:
		return u.suspend(ctx, table, tail)
	}
	return d.endUpload(ctx, abi.OpUploadSuspend, token, table, tail)
}

// CommitUpload implements storagedriver.Backend.
func (d *driver) CommitUpload(ctx context.Context, token string, table *storagedriver.Receipts, last storagedriver.Source) error {
	u, err := d.delegation(token)
	switch {
	case err != nil:
		return err
	case u != nil:
		return u.commit(ctx, table, last)
	}
	return d.endUpload(ctx, abi.OpUploadCommit, token, table, last)
}

func (d *driver) endUpload(ctx context.Context, op abi.Op, token string, table *storagedriver.Receipts, rest storagedriver.Source) error {
	in, err := d.acquireParts(ctx, op)
	if err != nil {
		return err
	}
	defer d.release(in)
	if table == nil {
		table = &storagedriver.Receipts{}
	}
	request := guest.EndRequest(op, token, table, rest)
	if request.Receipts, err = in.table.add(slot{kind: kindReceipts, receipts: &receipts{table: table}}); err != nil {
		return err
	}
	if request.Body, request.Size, err = in.lend(rest); err != nil {
		return err
	}
	return in.call(op, request, &abi.Empty{})
}

func (d *driver) acquireParts(ctx context.Context, op abi.Op) (*instance, error) {
	if err := d.Require(op, storagedriver.AbilityParts); err != nil {
		return nil, err
	}
	return d.acquire(ctx)
}
