package inmemory

import (
	"context"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// maxPage is the most entries of one page, whatever the caller asks for, so that callers
// meet paging in their tests.
const maxPage = 1000

// List implements Backend. The cursor is the key of the last entry of the page before,
// so entries that come and go between two pages disturb no others.
func (d *Driver) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if err := ctx.Err(); err != nil {
		return storagedriver.Page{}, err
	}
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	d.mu.Lock() // not RLock: sorted may sort
	defer d.mu.Unlock()
	n := d.root.find(path)
	if n == nil || !n.isDir() {
		return storagedriver.Page{}, notFound()
	}
	keys := n.sorted()
	from, found := slices.BinarySearch(keys, cursor)
	if found {
		from++
	}
	to := min(len(keys), from+limit)
	page := storagedriver.Page{Entries: make([]storagedriver.Entry, 0, to-from)}
	for _, key := range keys[from:to] {
		name := strings.TrimSuffix(key, "/")
		page.Entries = append(page.Entries, n.children[name].entry(name))
	}
	if to < len(keys) {
		page.Cursor = keys[to-1]
	}
	return page, nil
}

// sorted returns the keys of the children in ascending byte order. The key of a file is
// its name, that of a directory its name and "/".
func (n *node) sorted() []string {
	if n.order == nil {
		n.order = make([]string, 0, len(n.children))
		for name, child := range n.children {
			if child.isDir() {
				name += "/"
			}
			n.order = append(n.order, name)
		}
		slices.Sort(n.order)
	}
	return n.order
}
