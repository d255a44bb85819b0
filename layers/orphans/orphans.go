// Package orphans finds and removes what unfinished uploads and killed processes left on a backend.
//
// It works on a Backend, below the gate, which hides private names: those with [storagedriver.PrivateMark]. Uploads that the
// backend keeps to itself, as the multipart uploads of an object store, are found where it lists them (AbilityListUploads). Elsewhere
// they are not; where one is beside something that is found, aborting that ends it as well.
//
// Nobody can ask a backend whether somebody is at work on an upload. Its age tells, as the backend's clock and ours say it:
// every part that is accepted makes an upload young, and every write a temporary file, at least on backends that keep what
// they accept beside the target. So an age of a day or more is sure where no client takes as long between two
// parts; an upload that a client might still go on with is lost to it. Of an upload that the backend keeps to itself only
// the begin is known, and the last suspend: there no client must take as long for a whole request.
package orphans

import (
	"context"
	"slices"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// Kind says what an Orphan is.
type Kind string

// The kinds.
const (
	// Upload is an unfinished upload to Path, which may go on.
	Upload Kind = "upload"
	// Temporary is of use to nobody but the process that made it.
	Temporary Kind = "temporary"
)

// Orphan is something that was left, or that somebody is at work on.
type Orphan struct {
	// Path is the target of an upload, and of a temporary file its own private path.
	Path string
	Kind Kind
	// Files and Bytes are how many files it has, and their sizes. What the backend keeps to itself is not among them.
	Files int
	Bytes int64
	// ModTime is when something of it was written last, or the last upload of it begun; zero when the backend does not say.
	ModTime time.Time

	names   []name   // its private files and directories
	targets []string // of uploads that the backend keeps to itself
}

// name is a private path.
type name struct {
	path string
	dir  bool
}

// Abort removes o, which List found, unless something of it was written since before: it looks
// again first. Between the look and the removal somebody may go on with it; it is then lost to
// them, and what they commit is whole all the same. It returns false when o is too young, of unknown age, or
// gone. A backend whose times are zero has nothing that is old: only a zero before removes it.
//
// The backend's AbortUploads is called where it has parts, unless it would end other uploads as well: those below the
// path that are young. It returns false also when nothing was left to remove without it.
func Abort(ctx context.Context, b storagedriver.Backend, o Orphan, before time.Time) (bool, error) {
	o, found, err := again(ctx, b, o)
	if err != nil || !found || !o.isOld(before) {
		return false, err
	}
	removed := len(o.names) > 0
	for _, target := range o.uploadsTo() {
		alone, err := isAlone(ctx, b, target, before)
		if err != nil {
			return false, err
		}
		if alone {
			if err := chunked.Abort(ctx, b, target); err != nil {
				return false, err
			}
			removed = true
		}
	}
	for _, n := range o.names {
		if err := remove(ctx, b, n); err != nil {
			return false, err
		}
	}
	return removed, nil
}

// uploadsTo are the paths that o may have uploads to.
func (o Orphan) uploadsTo() []string {
	if o.Kind != Upload || slices.Contains(o.targets, o.Path) {
		return o.targets
	}
	return append([]string{o.Path}, o.targets...)
}

// isOld reports whether nothing of o was written since before.
func (o Orphan) isOld(before time.Time) bool {
	return before.IsZero() || !o.ModTime.IsZero() && o.ModTime.Before(before)
}

// again looks at o once more.
func again(ctx context.Context, b storagedriver.Backend, o Orphan) (now Orphan, found bool, err error) {
	dir, _ := storagedriver.ParentPath(o.Path)
	l := &lister{b: b}
	uploads, err := l.hidden(ctx, dir)
	if err != nil {
		return o, false, err
	}
	all, err := l.directory(ctx, dir)
	if err := unlessMissing(err); err != nil {
		return o, false, err
	}
	now = Orphan{Path: o.Path, Kind: o.Kind}
	for _, candidate := range all.orphans {
		if candidate.Path == o.Path && candidate.Kind == o.Kind {
			now, found = *candidate, true
		}
	}
	return now, uploads.take(&now) || found, nil
}

// isAlone reports whether ending all uploads to path, which are old, and below it ends none that is young.
func isAlone(ctx context.Context, b storagedriver.Backend, path string, before time.Time) (bool, error) {
	if !b.Capabilities().Has(storagedriver.AbilityParts) {
		return true, nil // chunked.Abort is about the one path
	}
	alone := true
	err := List(ctx, b, path, func(below Orphan) error {
		alone = alone && below.isOld(before)
		return nil
	})
	return alone, unlessMissing(err)
}

// remove removes a private name and all below it. What is gone already is as good.
func remove(ctx context.Context, b storagedriver.Backend, n name) error {
	if n.dir && b.Capabilities().Has(storagedriver.AbilityDeleteTree) {
		return unlessMissing(b.DeleteTree(ctx, n.path))
	}
	if n.dir {
		l := &lister{b: b}
		entries, err := l.entries(ctx, n.path)
		if err := unlessMissing(err); err != nil {
			return err
		}
		for _, e := range entries {
			if err := remove(ctx, b, name{storagedriver.JoinPath(n.path, e.Name), e.Dir}); err != nil {
				return err
			}
		}
	}
	return unlessMissing(b.Delete(ctx, n.path))
}

func unlessMissing(err error) error {
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}
