package native

import (
	"context"

	"github.com/berth-dev/storagedriver"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	host "github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// receipts is a table that the driver reads and writes.
type receipts struct{ table *storagedriver.Receipts }

// Page implements berth.HostReceipts.
func (r receipts) Page(after, limit int) ([]berth.Receipt, error) {
	var page []berth.Receipt
	for _, x := range r.table.Page(after, limit) {
		page = append(page, berth.Receipt(x))
	}
	return page, nil
}

// Set implements berth.HostReceipts.
func (r receipts) Set(page []berth.Receipt) error {
	for _, x := range page {
		r.table.Set(storagedriver.Receipt(x))
	}
	return nil
}

// OpenUpload implements Backend.
func (b *backend) OpenUpload(ctx context.Context, path string, resume bool) (storagedriver.Upload, error) {
	h, c := b.call(ctx)
	defer h.Close()
	table := &storagedriver.Receipts{}
	u, err := b.driver.OpenUpload(c, path, resume, berth.NewReceipts(receipts{table}))
	if err != nil {
		return storagedriver.Upload{}, wrap(err)
	}
	if u.Delegate.Store != "" {
		return b.openDelegated(ctx, path, &u.Delegate, resume)
	}
	up := storagedriver.Upload{Token: u.Token, Limits: limitsOf(u.Limits), Resumed: u.Resumed}
	if table.Len() > 0 {
		up.Receipts = table
	}
	switch {
	case u.Tail.Length == 0:
	case u.Tail.Body == nil:
		up.Tail = storagedriver.BytesSource(u.Tail.Data)
	default:
		r, err := b.open(h, &u.Tail)
		if err != nil {
			return storagedriver.Upload{}, err
		}
		up.Tail = newOnce(ctx, r, u.Tail.Length)
	}
	return up, nil
}

func limitsOf(l berth.UploadLimits) storagedriver.PartLimits {
	return storagedriver.PartLimits{
		Min: l.Min, Max: l.Max, Count: l.Count, Multiple: l.Multiple, Equal: l.Equal, Sequential: l.Sequential, Total: l.Total, Digests: l.Digests,
	}
}

func part(h *host.Host, number int, offset int64, src storagedriver.Source, digests map[string][]byte) berth.Part {
	return berth.Part{Number: number, Offset: offset, Size: src.Size(), Body: h.Source(src), Digests: digests}
}

// PutPart implements Backend.
func (b *backend) PutPart(ctx context.Context, token string, p storagedriver.Part) ([]byte, error) {
	if d, err := b.delegation(token); d != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return d.part(ctx, p)
	}
	h, c := b.call(ctx)
	defer h.Close()
	receipt, err := b.driver.PutPart(c, token, part(h, p.Number, p.Offset, p.Body, p.Digests))
	return receipt, wrap(err)
}

// SuspendUpload implements Backend.
func (b *backend) SuspendUpload(ctx context.Context, token string, table *storagedriver.Receipts, tail storagedriver.Source) error {
	if d, err := b.delegation(token); d != nil || err != nil {
		if err != nil {
			return err
		}
		return d.suspend(ctx, table, tail)
	}
	h, c := b.call(ctx)
	defer h.Close()
	var rest *berth.Stream
	if tail != nil {
		rest = h.Source(tail)
	}
	return wrap(b.driver.SuspendUpload(c, token, berth.NewReceipts(receipts{table}), rest))
}

// CommitUpload implements Backend.
func (b *backend) CommitUpload(ctx context.Context, token string, table *storagedriver.Receipts, last storagedriver.Source) error {
	if d, err := b.delegation(token); d != nil || err != nil {
		if err != nil {
			return err
		}
		return d.commit(ctx, table, last)
	}
	h, c := b.call(ctx)
	defer h.Close()
	var rest *berth.Part
	if last != nil {
		number, offset := 1, int64(0)
		if before := table.Page(table.Len()-1, 1); len(before) == 1 {
			number, offset = before[0].Number+1, before[0].Offset+before[0].Size
		}
		p := part(h, number, offset, last, nil)
		rest = &p
	}
	return wrap(b.driver.CommitUpload(c, token, berth.NewReceipts(receipts{table}), rest))
}

// CancelUpload implements Backend.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	if d, err := b.delegation(token); d != nil || err != nil {
		if err != nil {
			return err
		}
		return d.cancel(ctx)
	}
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.CancelUpload(c, token))
}

// AbortUploads implements Backend.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.AbortUploads(c, path))
}

// ListUploads implements Backend.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	h, c := b.call(ctx)
	defer h.Close()
	page, err := b.driver.ListUploads(c, path, cursor, limit)
	return pageOf(&page, err)
}
