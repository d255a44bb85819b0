package webdav

import (
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// List implements berth.Driver. The cursor is the nonce of the answer that the page was cut from, and the
// key of the page's last entry: on the instance that still has the answer the listing goes
// on in it, on another one the directory is asked for again.
func (d *driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	nonce, after, _ := strings.Cut(cursor, ":")
	entries := d.snapshots.take(nonce)
	if entries == nil {
		var err error
		if entries, err = d.listing(c, path, after); err != nil {
			return berth.Page{}, err
		}
	}
	if limit <= 0 || limit > berth.MaxList {
		limit = berth.MaxList
	}
	if len(entries) <= limit {
		return berth.Page{Entries: entries}, nil
	}
	var b [8]byte
	c.Random(b[:])
	nonce = hex.EncodeToString(b[:])
	d.snapshots.keep(nonce, entries[limit:])
	return berth.Page{Entries: entries[:limit:limit], Cursor: nonce + ":" + key(&entries[limit-1])}, nil
}

// listing returns the entries of the directory after a key, sorted.
func (d *driver) listing(c *berth.Call, path, after string) ([]berth.Entry, error) {
	var entries []berth.Entry
	err := d.members(c, path, func(name string, r *resource) {
		e := r.entry(name)
		if nameable(name) && (after == "" || key(&e) > after) {
			entries = append(entries, e)
		}
	})
	if err != nil && isRefusal(err) {
		var r resource
		if r, err = d.find(c, path); err == nil && !r.dir {
			err = notFound()
		}
	}
	if path == "/" && isNotFound(err) {
		return nil, nil // not made yet
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, compare)
	return entries, nil
}

// nameable leaves out what others put there under names that the host cannot have.
func nameable(name string) bool {
	for i := 0; i < len(name); i++ {
		if !storable(name[i]) {
			return false
		}
	}
	return name != "" && name != "." && name != ".."
}

// key is what entries are sorted by: a directory counts as its name and a slash.
func key(e *berth.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// compare compares keys without making them.
func compare(a, b berth.Entry) int {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return int(at(&a, n)) - int(at(&b, n))
}

// at is the byte of e's key at n, at most one past its name; 0 is the end.
func at(e *berth.Entry, n int) byte {
	switch {
	case n < len(e.Name):
		return e.Name[n]
	case e.Dir:
		return '/'
	}
	return 0
}

// maxSnapshot is the most entries kept for the next page: about 2 MiB.
const maxSnapshot = 16 << 10

// snapshots keeps what is left of the last listing that did not fit its page. Losing it costs a request.
type snapshots struct {
	mu    sync.Mutex
	nonce string
	rest  []berth.Entry
}

func (s *snapshots) keep(nonce string, rest []berth.Entry) {
	if len(rest) > maxSnapshot {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonce, s.rest = nonce, rest
}

// take returns the entries kept under the nonce, or nil.
func (s *snapshots) take(nonce string) []berth.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nonce == "" || s.nonce != nonce {
		return nil
	}
	rest := s.rest
	s.nonce, s.rest = "", nil
	return rest
}
