package layers

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// pager reads a listing page by page and holds the backend to what it promises: names
// that are names, sizes that are not negative, ascending order unless it is declared
// unsorted, cursors that lead on. It is used by one goroutine.
type pager struct {
	fetch    func(ctx context.Context, cursor string) (storagedriver.Page, error)
	what     string // "the listing of /a", for messages
	tree     bool   // names are relative paths
	unsorted bool

	cursor string
	begun  bool
	last   string // key of the entry before; at first what a tree listing begins after
	seen   map[uint64]struct{}
	seed   maphash.Seed
}

func (g *gate) listPager(path string) *pager {
	return &pager{
		what:     "the listing of " + path,
		unsorted: g.has(storagedriver.AbilityUnsorted),
		fetch: func(ctx context.Context, cursor string) (storagedriver.Page, error) {
			return g.b.List(ctx, path, cursor, listPage)
		},
	}
}

func (g *gate) treePager(path, startAfter string) *pager {
	return &pager{
		what: "the tree listing of " + path,
		tree: true,
		last: startAfter,
		fetch: func(ctx context.Context, cursor string) (storagedriver.Page, error) {
			return g.b.ListTree(ctx, path, startAfter, cursor, listPage)
		},
	}
}

// more reports whether there may be another page.
func (p *pager) more() bool { return !p.begun || p.cursor != "" }

// next returns the next page's entries, with private ones.
func (p *pager) next(ctx context.Context) ([]storagedriver.Entry, error) {
	page, err := p.fetch(ctx, p.cursor)
	if err != nil {
		return nil, err
	}
	p.begun = true
	for _, e := range page.Entries {
		if err := p.check(e); err != nil {
			return nil, err
		}
	}
	if err := p.advance(page.Cursor); err != nil {
		return nil, err
	}
	return page.Entries, nil
}

// all returns the whole listing in ascending order of keys, each key once.
func (p *pager) all(ctx context.Context) ([]storagedriver.Entry, error) {
	var all []storagedriver.Entry
	for p.more() {
		entries, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	if p.unsorted {
		slices.SortStableFunc(all, func(a, b storagedriver.Entry) int { return strings.Compare(key(a), key(b)) })
		all = slices.CompactFunc(all, func(a, b storagedriver.Entry) bool { return key(a) == key(b) })
	}
	return all, nil
}

func (p *pager) advance(cursor string) error {
	p.cursor = cursor
	if cursor == "" {
		return nil
	}
	if len(cursor) > storagedriver.MaxCursor {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s has a cursor of %d bytes, more than %d", p.what, len(cursor), storagedriver.MaxCursor)
	}
	if p.seen == nil {
		p.seen, p.seed = map[uint64]struct{}{}, maphash.MakeSeed()
	}
	sum := maphash.String(p.seed, cursor)
	if _, again := p.seen[sum]; again {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s goes in circles: the cursor %.80q came before", p.what, cursor)
	}
	p.seen[sum] = struct{}{}
	return nil
}

func (p *pager) check(e storagedriver.Entry) error {
	names := []string{e.Name}
	if p.tree {
		names = strings.Split(e.Name, "/")
	}
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			return storagedriver.Errorf(storagedriver.KindCorrupt, "%s has the name %q, which is none", p.what, e.Name)
		}
	}
	if e.Size < 0 {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s says that %q has %d bytes", p.what, e.Name, e.Size)
	}
	if p.tree && e.Dir {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s has the directory %q; it is of files", p.what, e.Name)
	}
	if p.unsorted {
		return nil
	}
	k := key(e)
	if k <= p.last {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s is out of order: %q after %q (a backend that cannot sort declares it)", p.what, k, p.last)
	}
	p.last = k
	return nil
}

// key is what entries are ordered by.
func key(e storagedriver.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// public reports whether a public path may end in this name or relative path.
func public(name string) bool { return storagedriver.ValidatePath("/"+name) == nil }
