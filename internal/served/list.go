package served

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

const (
	// listPage is the most entries of one page: the most that a gate asks for.
	listPage = 1000
	// listAhead is how many entries wait for the next page to be asked for.
	listAhead = 64
	// maxListings is how many listings are kept between their pages. One that was dropped reads its directory again.
	maxListings = 16
)

// listings keeps what follows the pages given out last, the oldest first. The zero value is empty.
type listings struct {
	mu    sync.Mutex
	kept  []*listing
	group sync.WaitGroup // of walks
}

// List implements storagedriver.Backend. A StorageDriver has no pages: one Walk that leaves out what is below the
// directories goes on from page to page.
func (s *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if limit <= 0 || limit > listPage {
		limit = listPage
	}
	name, last, _ := strings.Cut(cursor, ",")
	l := s.listings.take(name)
	if l == nil {
		l = s.listings.walk(ctx, s.d, EscapePath(path))
	}
	entries, more, err := l.page(ctx, last, limit)
	if err != nil || !more {
		l.cancel()
		return storagedriver.Page{Entries: entries}, Cause(err)
	}
	return storagedriver.Page{Entries: entries, Cursor: s.listings.keep(l) + "," + keyOf(entries[len(entries)-1])}, nil
}

// take returns the listing of that name, or nil. It is given once.
func (s *listings) take(name string) *listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.kept {
		if l.name == name {
			s.kept = slices.Delete(s.kept, i, i+1)
			return l
		}
	}
	return nil
}

func (s *listings) keep(l *listing) (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == maxListings {
		s.kept[0].cancel()
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	s.kept = append(s.kept, l)
	return l.name
}

func (s *listings) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.kept {
		l.cancel()
	}
	s.kept = nil
	s.group.Wait()
}

// listing is a Walk of one directory's children, which waits between pages. One call uses it at a time.
type listing struct {
	name   string // in the cursor
	cancel context.CancelFunc
	walked chan storagedriver.Entry // closed at the end
	err    error                    // of the Walk, when walked is closed

	begun bool
	first []storagedriver.Entry // what comes first in the driver's order, in that of keyOf
	next  *storagedriver.Entry  // what comes after that, nil at the end
}

// walk begins to list the directory at the driver's path.
func (s *listings) walk(ctx context.Context, d storagedriver.StorageDriver, path string) *listing {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &listing{name: rand.Text(), cancel: cancel, walked: make(chan storagedriver.Entry, listAhead)}
	s.group.Go(func() {
		defer close(l.walked)
		l.err = d.Walk(ctx, path, func(info storagedriver.FileInfo) error {
			e := entryOf(info)
			var dir string
			if dir, e.Name = storagedriver.ParentPath(info.Path()); dir == path {
				select {
				case l.walked <- e:
				case <-ctx.Done():
					return storagedriver.ErrFilledBuffer
				}
			}
			if e.Dir {
				return storagedriver.ErrSkipDir
			}
			return nil
		})
	})
	return l
}

// page returns the next entries, at most limit, of those whose keys follow last, and whether there are more.
func (l *listing) page(ctx context.Context, last string, limit int) (entries []storagedriver.Entry, more bool, err error) {
	if !l.begun {
		if err := l.begin(ctx); err != nil {
			return nil, false, err
		}
	}
	for {
		var e storagedriver.Entry
		first := len(l.first) > 0 && (l.next == nil || keyOf(l.first[0]) < keyOf(*l.next))
		switch {
		case first:
			e = l.first[0]
		case l.next != nil:
			e = *l.next
		default:
			return entries, false, nil
		}
		if keyOf(e) > last {
			if len(entries) == limit {
				return entries, true, nil
			}
			entries = append(entries, e)
		}
		if first {
			l.first = l.first[1:]
		} else if err := l.advance(ctx); err != nil {
			return nil, false, err
		}
	}
}

// begin reads the names that are there for private ones, which may belong anywhere. Hardly a public name is before them.
func (l *listing) begin(ctx context.Context) error {
	l.begun = true
	for {
		if err := l.advance(ctx); err != nil {
			return err
		}
		if l.next == nil || l.next.Name > escapeMark && !strings.HasPrefix(l.next.Name, escapeMark) {
			break
		}
		e := *l.next
		if name, ok := unescapeName(e.Name); ok {
			e.Name = name
			l.first = append(l.first, e)
		}
	}
	slices.SortFunc(l.first, func(a, b storagedriver.Entry) int { return strings.Compare(keyOf(a), keyOf(b)) })
	return nil
}

// advance sets next to what the Walk comes to. Names that no path can have are left out, as are those that begin as private
// names do and are none: no path leads to them.
func (l *listing) advance(ctx context.Context) error {
	l.next = nil
	for {
		select {
		case e, ok := <-l.walked:
			if !ok {
				return l.err
			}
			if storagedriver.ValidatePath("/"+e.Name) == nil {
				l.next = &e
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keyOf is what entries are ordered by.
func keyOf(e storagedriver.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}
