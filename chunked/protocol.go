package chunked

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// protocol is what a Writer drives: a backend's own part protocol, or the derived one.
type protocol interface {
	putPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error)
	suspend(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error
	commit(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error
	cancel(ctx context.Context, token string) error
	// put commits an upload that stored nothing so far.
	put(ctx context.Context, token string, body storagedriver.Source) error
	// durable asks the backend for the size that the next open will report.
	durable(ctx context.Context) (int64, error)
	// stored is the best guess at that when the backend does not answer: opened is the size
	// at open, receipts are the parts stored without a gap.
	stored(opened int64, receipts *storagedriver.Receipts) int64
}

// native is the protocol of a Backend with AbilityParts.
type native struct {
	b    storagedriver.Backend
	path string
}

func (n *native) putPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	return n.b.PutPart(ctx, token, part)
}

func (n *native) suspend(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return n.b.SuspendUpload(ctx, token, receipts, tail)
}

func (n *native) commit(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return n.b.CommitUpload(ctx, token, receipts, last)
}

func (n *native) cancel(ctx context.Context, token string) error {
	return n.b.CancelUpload(ctx, token)
}

// put leaves it to CancelUpload to remove what an eager OpenUpload may have begun; the
// content is committed whatever becomes of that.
func (n *native) put(ctx context.Context, token string, body storagedriver.Source) error {
	if err := n.b.Put(ctx, n.path, body); err != nil {
		return err
	}
	_ = n.b.CancelUpload(ctx, token)
	return nil
}

func (n *native) durable(ctx context.Context) (int64, error) {
	upload, err := n.b.OpenUpload(ctx, n.path, true)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return 0, nil // committed content, and no upload any more
	}
	if err == nil {
		err = checkUpload(upload)
	}
	if err != nil {
		return 0, err
	}
	if !upload.Resumed {
		_ = n.b.CancelUpload(ctx, upload.Token)
	}
	return sizeOf(upload), nil
}

func (n *native) stored(opened int64, _ *storagedriver.Receipts) int64 { return opened }

// checkUpload returns KindCorrupt when what OpenUpload answered cannot be.
func checkUpload(u storagedriver.Upload) error {
	corrupt := func(format string, args ...any) error {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the backend opened an upload "+format, args...)
	}
	if len(u.Token) > storagedriver.MaxToken {
		return corrupt("with a token of %d bytes, more than %d", len(u.Token), storagedriver.MaxToken)
	}
	if !u.Resumed && (u.Receipts.Len() > 0 || u.Tail != nil) {
		return corrupt("that has content and is not resumed")
	}
	if u.Tail != nil && u.Tail.Size() < 0 {
		return corrupt("with a tail of %d bytes", u.Tail.Size())
	}
	next := storagedriver.Receipt{Number: 1}
	for _, r := range u.Receipts.All() {
		if r.Number != next.Number || r.Offset != next.Offset || r.Size <= 0 || len(r.Data) > storagedriver.MaxReceipt {
			return corrupt("whose receipt %d at %d of %d bytes (with %d bytes of data) should be number %d at %d",
				r.Number, r.Offset, r.Size, len(r.Data), next.Number, next.Offset)
		}
		next.Number, next.Offset = r.Number+1, r.Offset+r.Size
	}
	return nil
}

func sizeOf(u storagedriver.Upload) int64 {
	size := endOf(u.Receipts)
	if u.Tail != nil {
		size += u.Tail.Size()
	}
	return size
}

// unbroken returns the receipts before the first gap.
func unbroken(r *storagedriver.Receipts) *storagedriver.Receipts {
	out := &storagedriver.Receipts{}
	for i, receipt := range r.All() {
		if receipt.Number != i+1 {
			break
		}
		out.Set(receipt)
	}
	return out
}

// endOf returns the offset at which receipts without a gap end.
func endOf(r *storagedriver.Receipts) int64 {
	if last := r.Page(r.Len()-1, 1); len(last) == 1 {
		return last[0].Offset + last[0].Size
	}
	return 0
}
