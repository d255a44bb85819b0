package native

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"github.com/berth-dev/storagedriver"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// transformation is a delegated upload whose content passes through the driver's Stream, a piece at a time. What comes of a piece
// is kept in memory until all of it is there, so that of one that failed nothing is in the store. Where the upload is, is written
// down when it is suspended and not before, unlike in the sandbox: until then no other writer can continue it (KindConflict),
// nor can any once the store has failed in the middle of a piece.
type transformation struct {
	d      *delegation
	dest   string // in the store
	limits storagedriver.PartLimits

	mu     sync.Mutex
	record record
	parts  storagedriver.Receipts // of the store's upload
	broken bool                   // what is in the store is not what the record says
}

// record is what is kept beside the upload while it is suspended.
type record struct {
	State []byte
	Size  int64 // before it was transformed
	Made  int64 // after
}

// recordName ends the name, beside the upload's target, of its record.
const recordName = "~stream"

// transformed collects what the driver writes.
type transformed struct{ bytes.Buffer }

// openTransformed opens an upload whose content passes through the driver.
func (d *delegation) openTransformed(ctx context.Context, to *berth.Delegate, resume bool) (storagedriver.Upload, error) {
	t := &transformation{d: d, dest: to.Path}
	d.via = t
	out := storagedriver.Upload{Limits: storagedriver.PartLimits{Max: berth.MaxPiece, Sequential: true}}
	up, err := d.open(ctx, to, resume)
	if err != nil {
		return out, err
	}
	t.limits = up.Limits
	if !up.Resumed {
		return out, t.forget(ctx)
	}
	for _, r := range up.Receipts.All() {
		t.parts.Set(r)
	}
	if err := t.read(ctx); err != nil {
		return out, err
	}
	if t.record.Made != t.made() {
		return out, storagedriver.Errorf(storagedriver.KindConflict, "the upload to %s has %d bytes, and its record is of %d", t.dest, t.made(), t.record.Made)
	}
	out.Resumed, out.Receipts = true, &storagedriver.Receipts{}
	out.Receipts.Set(storagedriver.Receipt{Number: 1, Size: t.record.Size, Data: []byte{}})
	return out, nil
}

// read reads the record.
func (t *transformation) read(ctx context.Context) error {
	r, _, err := t.d.store.backend.Read(ctx, t.dest+recordName, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&t.record); err != nil {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the record of the upload to %s: %w", t.dest, err)
	}
	return nil
}

// made is how much is in the store.
func (t *transformation) made() int64 {
	if page := t.parts.Page(t.parts.Len()-1, 1); len(page) == 1 {
		return page[0].Offset + page[0].Size
	}
	return 0
}

// forget removes the record.
func (t *transformation) forget(ctx context.Context) error {
	err := t.d.store.backend.Delete(ctx, t.dest+recordName)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}

// stream has the driver make its piece of src; nil makes nothing.
func (t *transformation) stream(ctx context.Context, src storagedriver.Source, out *transformed) (record, error) {
	if src == nil {
		return t.record, nil
	}
	h, c := t.d.b.call(ctx)
	defer h.Close()
	next, err := t.d.b.driver.Stream(c, t.d.path, t.record.State, h.Source(src), h.Output(out))
	return record{State: bytes.Clone(next), Size: t.record.Size + src.Size()}, wrap(err)
}

// store puts what was made into the store, and is from then on where next says.
func (t *transformation) store(ctx context.Context, out *transformed, next record) error {
	t.broken = true
	for content := out.Bytes(); len(content) > 0; {
		n := len(content)
		if t.limits.Max > 0 {
			n = int(min(int64(n), t.limits.Max))
		}
		part := storagedriver.Part{Number: 1, Offset: t.made(), Body: storagedriver.BytesSource(content[:n])}
		if page := t.parts.Page(t.parts.Len()-1, 1); len(page) == 1 {
			part.Number = page[0].Number + 1
		}
		receipt, err := t.d.store.backend.PutPart(ctx, t.d.token, part)
		if err != nil {
			return err
		}
		t.parts.Set(storagedriver.Receipt{Number: part.Number, Offset: part.Offset, Size: int64(n), Data: receipt})
		content = content[n:]
	}
	next.Made = t.made()
	t.record, t.broken = next, false
	return nil
}

func (t *transformation) sound() error {
	if t.broken {
		return storagedriver.Errorf(storagedriver.KindConflict, "a piece of the upload to %s is in the store in part", t.dest)
	}
	return nil
}

// part transforms a piece. The number is not looked at: pieces come in order, and one that was not stored comes again.
func (t *transformation) part(ctx context.Context, part storagedriver.Part) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sound(); err != nil {
		return err
	}
	return t.piece(ctx, part.Body)
}

func (t *transformation) piece(ctx context.Context, src storagedriver.Source) error {
	var out transformed
	next, err := t.stream(ctx, src, &out)
	if err != nil {
		return err
	}
	return t.store(ctx, &out, next)
}

func (t *transformation) suspend(ctx context.Context, tail storagedriver.Source) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sound(); err != nil {
		return err
	}
	if err := t.piece(ctx, tail); err != nil {
		return err
	}
	text, err := json.Marshal(t.record)
	if err != nil {
		return err
	}
	if err := t.d.store.backend.Put(ctx, t.dest+recordName, storagedriver.BytesSource(text)); err != nil {
		return err
	}
	return t.d.store.backend.SuspendUpload(ctx, t.d.token, &t.parts, nil)
}

// commit stores nothing before the driver has said yes: after a no the upload is as it was.
func (t *transformation) commit(ctx context.Context, last storagedriver.Source) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sound(); err != nil {
		return err
	}
	var out transformed
	next, err := t.stream(ctx, last, &out)
	if err == nil {
		err = t.d.committing(ctx, next.Size, next.State, &out)
	}
	if err == nil {
		err = t.store(ctx, &out, next)
	}
	if err == nil {
		err = t.d.store.backend.CommitUpload(ctx, t.d.token, &t.parts, nil)
	}
	if err != nil {
		return err
	}
	return t.forget(ctx)
}
