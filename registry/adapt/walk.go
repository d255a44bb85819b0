package adapt

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// Walk maps the control errors both ways by identity; any other error of f comes back as it
// is, because distribution type-switches on what its own walk functions returned.
func (t *toDistribution) Walk(ctx context.Context, path string, f driver.WalkFn, options ...func(*driver.WalkOptions)) error {
	if len(options) > 0 {
		var o driver.WalkOptions
		for _, option := range options {
			option(&o)
		}
		return t.walkPaged(ctx, path, o.StartAfterHint, f)
	}
	failed := false
	var callback error
	err := t.d.Walk(ctx, path, func(info storagedriver.FileInfo) error {
		switch err := f(info); {
		case err == nil:
			return nil
		case err == driver.ErrSkipDir:
			return storagedriver.ErrSkipDir
		case err == driver.ErrFilledBuffer:
			return storagedriver.ErrFilledBuffer
		default:
			failed, callback = true, err
			return err
		}
	})
	if failed {
		return callback
	}
	return t.fail(ctx, path, err)
}

func (t *toDistribution) walkPaged(ctx context.Context, path, startAfter string, f driver.WalkFn) error {
	children, err := t.d.List(ctx, path)
	if err != nil {
		return t.fail(ctx, path, err)
	}
	p := pagedWalk{ctx: ctx, t: t, startAfter: startAfter, catalog: strings.HasSuffix(path, "/repositories"), f: f}
	_, err = p.visit(children)
	return err
}

// pagedWalk lists directory by directory and asks for nothing else: distribution's two
// callers look at the path alone, and what lists nothing is a file.
type pagedWalk struct {
	ctx        context.Context
	t          *toDistribution
	startAfter string
	catalog    bool
	f          driver.WalkFn
}

// key is what paths are ordered by: the separator sorts below every other byte. In the
// catalog the names distribution reserves, which begin with "_", come right after it, so
// that a repository comes before those nested in it: between "a/0" and "a" it would find
// no occasion to end a page, and overrun it.
func (p *pagedWalk) key(path string) string {
	if p.catalog {
		path = strings.ReplaceAll(path, "/_", "\x00\x01")
	}
	return strings.ReplaceAll(path, "/", "\x00")
}

// visit calls back for the children of one directory and what is below them. It returns
// false when the walk is over.
func (p *pagedWalk) visit(children []string) (bool, error) {
	slices.SortFunc(children, func(a, b string) int { return strings.Compare(p.key(a), p.key(b)) })
	for _, child := range children {
		switch p.place(child) {
		case before:
			continue
		case after:
			switch err := p.f(&lazyInfo{ctx: p.ctx, d: p.t.d, path: child}); {
			case err == nil:
			case err == driver.ErrSkipDir:
				continue
			case err == driver.ErrFilledBuffer:
				return false, nil
			default:
				return false, err
			}
		case passed:
			if p.catalog && strings.Contains(child, "/_") {
				continue // the last page's last repository: no other lies in its manifests
			}
		}
		below, err := p.t.d.List(p.ctx, child)
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			continue
		}
		if err != nil {
			return false, p.t.fail(p.ctx, child, err)
		}
		if more, err := p.visit(below); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

type place int

const (
	before place = iota // left out, with all that is below
	passed              // left out, but what is below is not
	after               // called back
)

// place compares with the start-after hint.
func (p *pagedWalk) place(path string) place {
	switch {
	case p.startAfter == "":
		return after
	case path == p.startAfter || storagedriver.IsBelow(p.startAfter, path):
		return passed
	case p.key(path) < p.key(p.startAfter):
		return before
	default:
		return after
	}
}

// lazyInfo asks the driver only when more than the path is wanted. An entry that is gone by
// then, or cannot be described, looks like an empty file.
type lazyInfo struct {
	ctx  context.Context
	d    storagedriver.StorageDriver
	path string
	once sync.Once
	info storagedriver.FileInfo
}

func (l *lazyInfo) stat() storagedriver.FileInfo {
	l.once.Do(func() {
		info, err := l.d.Stat(l.ctx, l.path)
		if err != nil {
			info = storagedriver.NewFileInfo(l.path, storagedriver.Entry{})
		}
		l.info = info
	})
	return l.info
}

func (l *lazyInfo) Path() string       { return l.path }
func (l *lazyInfo) Size() int64        { return l.stat().Size() }
func (l *lazyInfo) ModTime() time.Time { return l.stat().ModTime() }
func (l *lazyInfo) IsDir() bool        { return l.stat().IsDir() }
