package filesystem

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

const (
	// maxPage is the most entries of one page, whatever the caller asks for.
	maxPage = 10_000
	// window is how many keys one reading of a directory keeps for the pages that follow: some
	// 3 MB of a registry's names.
	window = 32 << 10
	// maxListings is how many listings are kept between their pages. One that was dropped reads
	// its directory again.
	maxListings = 16
)

// listing is some keys of a directory, in order, and whether others follow them.
type listing struct {
	name string // in the cursor
	keys []string
	more bool
}

// listings holds what follows the pages given out last, the oldest first.
type listings struct {
	mu   sync.Mutex
	kept []listing
}

// keep returns a cursor that continues after the key last with l, which may have no keys.
func (ls *listings) keep(last string, l listing) (cursor string) {
	l.name = rand.Text()
	if len(l.keys) > 0 {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		if len(ls.kept) == maxListings {
			ls.kept = slices.Delete(ls.kept, 0, 1)
		}
		ls.kept = append(ls.kept, l)
	}
	return l.name + "," + last
}

// take returns the key after which the cursor continues, and what follows if it was kept. It is
// given once.
func (ls *listings) take(cursor string) (last string, l listing, found bool) {
	name, last, _ := strings.Cut(cursor, ",")
	ls.mu.Lock()
	defer ls.mu.Unlock()
	i := slices.IndexFunc(ls.kept, func(l listing) bool { return l.name == name })
	if i < 0 {
		return last, listing{}, false
	}
	l = ls.kept[i]
	ls.kept = slices.Delete(ls.kept, i, i+1)
	return last, l, true
}

// List implements Backend. The system gives the names of a directory in no order, so the first
// page reads all of them, and the pages that follow go on with what that one kept. What comes
// meanwhile may be left out.
func (d *Driver) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if err := d.enter(ctx); err != nil {
		return storagedriver.Page{}, err
	}
	defer d.leave()
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	last, l, found := d.listings.take(cursor)
	dir, err := d.root.openDir(rel(path))
	if cursor != "" && isMissing(err) {
		return storagedriver.Page{}, nil // it was removed between two pages
	}
	if err != nil {
		return storagedriver.Page{}, classify(err, reading)
	}
	defer dir.close()
	if !found {
		if l, err = d.keys(ctx, dir, rel(path), last); err != nil {
			return storagedriver.Page{}, classify(err, reading)
		}
	}
	keys := l.keys[:min(limit, len(l.keys))]
	l.keys = l.keys[len(keys):]
	page := storagedriver.Page{Entries: make([]storagedriver.Entry, 0, len(keys))}
	for i, key := range keys {
		if i%batch == batch-1 && ctx.Err() != nil {
			return storagedriver.Page{}, ctx.Err()
		}
		e, found, err := d.describe(dir, rel(path), key)
		if err != nil {
			return storagedriver.Page{}, classify(err, reading)
		}
		if found {
			page.Entries = append(page.Entries, e)
		}
	}
	if l.more || len(l.keys) > 0 {
		page.Cursor = d.listings.keep(keys[len(keys)-1], l)
	}
	return page, nil
}

// describe returns the entry with the key in the open directory dir, called name; found is false when it has gone.
// It does not look at public directories, of which only the time is to be known that nobody asks for: a blob store has one for
// each file. Those of uploads are as old as what was left in them.
func (d *Driver) describe(dir directory, name, key string) (e storagedriver.Entry, found bool, err error) {
	child, isDir := strings.CutSuffix(key, "/")
	if isDir && !storagedriver.IsPrivate(child) {
		return storagedriver.Entry{Name: child, Dir: true}, true, nil
	}
	info, err := dir.stat(child)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = d.root.Stat(join(name, child))
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() != isDir {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	return entry(child, info), true, nil
}

// keys returns the first keys of the open directory dir, called name, that follow last, at
// most window.
func (d *Driver) keys(ctx context.Context, dir directory, name, last string) (listing, error) {
	var l listing
	cut := func() {
		slices.Sort(l.keys)
		if len(l.keys) > window {
			clear(l.keys[window:])
			l.keys, l.more = l.keys[:window], true
		}
	}
	err := eachOf(ctx, dir, func(child string, mode fs.FileMode) error {
		if key := d.key(name, child, mode); key > last {
			if l.keys = append(l.keys, key); len(l.keys) == 2*window {
				cut()
			}
		}
		return nil
	})
	cut()
	return l, err
}

// key returns what an entry is sorted by, its name, with "/" if it is a directory; or ""
// when it is nothing of a store.
func (d *Driver) key(dir, name string, mode fs.FileMode) string {
	if storagedriver.ValidatePrivatePath("/"+name) != nil {
		return ""
	}
	if mode&fs.ModeSymlink != 0 {
		info, err := d.root.Stat(join(dir, name))
		if err != nil {
			return "" // it leads nowhere, or out of the root directory
		}
		mode = info.Mode()
	}
	switch {
	case mode.IsDir():
		return name + "/"
	case mode.IsRegular():
		return name
	}
	return ""
}
