package native

import (
	"context"
	"strings"

	"github.com/berth-dev/storagedriver"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// delegatedMark begins the tokens of delegated uploads, and no driver's. The rest is the store, how, and the store's token.
const delegatedMark = "~store:"

// delegation is an upload that a store does.
type delegation struct {
	b     *backend
	name  string // its token
	store *store
	token string          // the store's
	path  string          // the driver's
	via   *transformation // nil when the content stays as it is
}

// openDelegated opens an upload to path where the driver has said.
func (b *backend) openDelegated(ctx context.Context, path string, to *berth.Delegate, resume bool) (storagedriver.Upload, error) {
	s := b.stores[to.Store]
	if s == nil {
		return storagedriver.Upload{}, storagedriver.Errorf(storagedriver.KindDenied, "the store %q is not there for this driver", to.Store)
	}
	d := &delegation{b: b, store: s, path: path}
	open, how := d.open, "plain:"
	if to.Transform {
		open, how = d.openTransformed, "transform:"
	}
	up, err := open(ctx, to, resume)
	if err != nil {
		return up, err
	}
	d.name = delegatedMark + to.Store + ":" + how + d.token
	up.Token = d.name
	b.delegated.Store(d.name, d)
	return up, nil
}

func (d *delegation) open(ctx context.Context, to *berth.Delegate, resume bool) (storagedriver.Upload, error) {
	up, err := d.store.backend.OpenUpload(ctx, to.Path, resume)
	d.token = up.Token
	return up, err
}

// delegation returns what a token names; nil when it is the driver's.
func (b *backend) delegation(token string) (*delegation, error) {
	rest, ours := strings.CutPrefix(token, delegatedMark)
	if !ours {
		return nil, nil
	}
	if d, there := b.delegated.Load(token); there {
		return d.(*delegation), nil
	}
	fields := strings.SplitN(rest, ":", 3)
	if len(fields) != 3 || b.stores[fields[0]] == nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "not a delegated upload's token")
	}
	return &delegation{b: b, name: token, store: b.stores[fields[0]], token: fields[2]}, nil // was suspended, and can be cancelled
}

// ended forgets the delegation when the call that ends it has succeeded.
func (d *delegation) ended(err error) error {
	if err == nil {
		d.b.delegated.Delete(d.name)
	}
	return err
}

func (d *delegation) part(ctx context.Context, part storagedriver.Part) ([]byte, error) {
	if d.via != nil {
		return []byte{}, d.via.part(ctx, part)
	}
	return d.store.backend.PutPart(ctx, d.token, part)
}

func (d *delegation) suspend(ctx context.Context, table *storagedriver.Receipts, tail storagedriver.Source) error {
	if d.via != nil {
		return d.ended(d.via.suspend(ctx, tail))
	}
	return d.ended(d.store.backend.SuspendUpload(ctx, d.token, table, tail))
}

func (d *delegation) commit(ctx context.Context, table *storagedriver.Receipts, last storagedriver.Source) error {
	if d.via != nil {
		return d.ended(d.via.commit(ctx, last))
	}
	var size int64
	if page := table.Page(table.Len()-1, 1); len(page) == 1 {
		size = page[0].Offset + page[0].Size
	}
	if last != nil {
		size += last.Size()
	}
	if err := d.committing(ctx, size, nil, nil); err != nil {
		return err
	}
	return d.ended(d.store.backend.CommitUpload(ctx, d.token, table, last))
}

// committing asks the driver whether the upload may become visible.
func (d *delegation) committing(ctx context.Context, size int64, state []byte, out *transformed) error {
	h, c := d.b.call(ctx)
	defer h.Close()
	var to *berth.Output
	if out != nil {
		to = h.Output(out)
	}
	return wrap(d.b.driver.Committing(c, d.path, size, state, to))
}

func (d *delegation) cancel(ctx context.Context) error {
	if d.via != nil {
		if err := d.via.forget(ctx); err != nil {
			return err
		}
	}
	return d.ended(d.store.backend.CancelUpload(ctx, d.token))
}
