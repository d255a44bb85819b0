package migrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// listPage is how many entries are asked for at a time: the most that S3 gives.
const listPage = 1000

// cursor is where a merged listing goes on: a page of either side, of which what is not after last has been given out.
type cursor struct {
	old, new         string
	oldDone, newDone bool
	last             string
}

func (c cursor) String() string {
	if c.oldDone && c.newDone {
		return ""
	}
	return fmt.Sprintf("%t %t %d %d %s%s%s", c.oldDone, c.newDone, len(c.old), len(c.new), c.old, c.new, c.last)
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return c, nil
	}
	var old, new int
	refused := storagedriver.NewError(storagedriver.KindInvalidArgument, "the cursor is not one of this listing")
	if _, err := fmt.Sscanf(text, "%t %t %d %d", &c.oldDone, &c.newDone, &old, &new); err != nil {
		return c, refused
	}
	rest := text[len(fmt.Sprintf("%t %t %d %d ", c.oldDone, c.newDone, old, new)):]
	if old < 0 || new < 0 || old+new > len(rest) {
		return c, refused
	}
	c.old, c.new, c.last = rest[:old], rest[old:old+new], rest[old+new:]
	return c, nil
}

// key is what listings are ordered by.
func key(e storagedriver.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// List implements storagedriver.Backend. Old is looked at before new: what a change takes from the one it has put on the other.
func (m *merged) List(ctx context.Context, path, from string, limit int) (storagedriver.Page, error) {
	c, err := parseCursor(from)
	if err != nil {
		return storagedriver.Page{}, err
	}
	reads, err := m.readsOld(ctx)
	if err != nil {
		return storagedriver.Page{}, err
	}
	c.oldDone = c.oldDone || !reads
	old, oldMissing, err := page(ctx, m.old, path, c.old, c.oldDone, limit)
	if err != nil {
		return storagedriver.Page{}, m.onOld(err)
	}
	new, newMissing, err := page(ctx, m.new, path, c.new, c.newDone, limit)
	if err != nil {
		return storagedriver.Page{}, m.onNew(err)
	}
	if from == "" && newMissing && (oldMissing || c.oldDone) {
		return storagedriver.Page{}, storagedriver.NewError(storagedriver.KindNotFound, "no such directory on either side")
	}
	out, next := merge(path, c, old, new)
	if out, err = m.oneOfEach(ctx, path, out, c, next); err != nil {
		return storagedriver.Page{}, err
	}
	if len(next.String()) <= storagedriver.MaxCursor {
		return storagedriver.Page{Entries: out, Cursor: next.String()}, nil
	}
	// Two cursors do not fit one: the rest comes at once.
	for next.String() != "" {
		rest, err := m.List(ctx, path, next.String(), limit)
		if err != nil {
			return storagedriver.Page{}, err
		}
		out = append(out, rest.Entries...)
		if next, err = parseCursor(rest.Cursor); err != nil || rest.Cursor == "" {
			return storagedriver.Page{Entries: out}, err
		}
	}
	return storagedriver.Page{Entries: out}, nil
}

// oneOfEach leaves out the file or the directory where the two sides have both of one name and one side could not: Stat says which of them is there. A put that ends in
// the middle leaves a directory on old that has nothing but what is private. Other names may come between the two, so that they are on different pages.
func (m *merged) oneOfEach(ctx context.Context, path string, entries []storagedriver.Entry, c, next cursor) ([]storagedriver.Entry, error) {
	if m.underFiles() {
		return entries, nil
	}
	count := map[string]int{}
	for _, e := range entries {
		count[e.Name]++
	}
	hidden := map[string]bool{} // keys
	for _, e := range entries {
		before := e.Dir && c.last != "" && e.Name <= c.last               // its file's place is on a page before
		behind := !e.Dir && next.String() != "" && e.Name+"/" > next.last // its directory's on one to come
		if count[e.Name] < 2 && !before && !behind {
			continue
		}
		there, err := m.Stat(ctx, storagedriver.JoinPath(path, e.Name))
		if err != nil && !missing(err) {
			return nil, err
		}
		hidden[key(storagedriver.Entry{Name: e.Name, Dir: !there.Dir})] = err == nil
	}
	return slices.DeleteFunc(entries, func(e storagedriver.Entry) bool { return hidden[key(e)] }), nil
}

// page returns a page of one side, or all of a side whose listing is not sorted. What is missing is empty.
func page(ctx context.Context, b storagedriver.Backend, path, from string, done bool, limit int) (p storagedriver.Page, gone bool, err error) {
	if done {
		return p, false, nil
	}
	if b.Capabilities().Has(storagedriver.AbilityUnsorted) {
		p.Entries, err = listAll(ctx, b, path, "")
		slices.SortFunc(p.Entries, func(a, b storagedriver.Entry) int { return cmp.Compare(key(a), key(b)) })
	} else {
		p, err = b.List(ctx, path, from, limit)
	}
	if missing(err) {
		return storagedriver.Page{}, true, nil
	}
	return p, false, err
}

// merge returns what of two pages is certain to come next, and where to go on. Of two entries of one name and kind new's counts.
func merge(path string, c cursor, old, new storagedriver.Page) ([]storagedriver.Entry, cursor) {
	next := c
	end, bounded := "", false // beyond this key nothing is certain
	for _, p := range []storagedriver.Page{old, new} {
		if p.Cursor == "" {
			continue
		}
		last := c.last
		if len(p.Entries) > 0 {
			last = key(p.Entries[len(p.Entries)-1])
		}
		if !bounded || last < end {
			end, bounded = last, true
		}
	}
	within := func(entries []storagedriver.Entry) []storagedriver.Entry {
		return slices.DeleteFunc(slices.Clone(entries), func(e storagedriver.Entry) bool {
			k := key(e)
			return k <= c.last || bounded && k > end || path == "/" && storagedriver.JoinPath(path, e.Name) == dir
		})
	}
	out := append(within(new.Entries), within(old.Entries)...)
	slices.SortStableFunc(out, func(a, b storagedriver.Entry) int { return cmp.Compare(key(a), key(b)) })
	out = slices.CompactFunc(out, func(a, b storagedriver.Entry) bool { return key(a) == key(b) })
	taken := func(p storagedriver.Page) bool {
		return len(p.Entries) == 0 || !bounded || key(p.Entries[len(p.Entries)-1]) <= end
	}
	next.old, next.oldDone = advance(c.old, c.oldDone, old, taken(old))
	next.new, next.newDone = advance(c.new, c.newDone, new, taken(new))
	if bounded {
		next.last = max(c.last, end)
	}
	return out, next
}

// advance returns where a side goes on: with its next page if all of this one was taken.
func advance(from string, done bool, p storagedriver.Page, taken bool) (string, bool) {
	switch {
	case done:
		return "", true
	case taken:
		return p.Cursor, p.Cursor == ""
	}
	return from, false
}
