package orphans

import (
	"context"
	"slices"
	"time"

	"github.com/berth-dev/storagedriver"
)

// hidden are the uploads that a backend keeps to itself, by what they belong to: the upload to their target or, where
// that has a private name, what the name belongs to.
type hidden map[identity]*Orphan

// hidden lists the uploads below path that the backend keeps to itself. Targets that are no path of a driver are
// left out: nothing that a Backend can be told ends their uploads.
func (l *lister) hidden(ctx context.Context, path string) (hidden, error) {
	all := hidden{}
	if !l.b.Capabilities().Has(storagedriver.AbilityListUploads | storagedriver.AbilityParts) {
		return all, nil
	}
	err := pages(ctx, "the listing of uploads below "+path, func(cursor string) (storagedriver.Page, error) {
		return l.b.ListUploads(ctx, path, cursor, listPage)
	}, func(e storagedriver.Entry) error {
		target := storagedriver.JoinPath(path, e.Name)
		if storagedriver.IsBelow(target, path) && storagedriver.ValidatePrivatePath(target) == nil {
			all.add(target, e.ModTime)
		}
		return nil
	})
	return all, unlessMissing(err)
}

func (h hidden) add(target string, begun time.Time) {
	k := identityOf(target)
	o := h[k]
	if o == nil {
		o = &Orphan{Path: k.path, Kind: k.kind}
		h[k] = o
	}
	if !slices.Contains(o.targets, target) {
		o.targets = append(o.targets, target)
	}
	o.touched(begun)
}

// take moves what belongs to o there, and reports whether there was anything.
func (h hidden) take(o *Orphan) bool {
	k := identity{o.Path, o.Kind}
	more := h[k]
	if more == nil {
		return false
	}
	delete(h, k)
	o.targets = more.targets
	o.touched(more.ModTime)
	return true
}

// all returns what has not been taken.
func (h hidden) all() []*Orphan { return finds(h).all() }
