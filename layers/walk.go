package layers

import (
	"context"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// walkParallel is how many listings of one Walk are in flight, and how many
// subdirectories of a directory are listed ahead: enough to hide a round trip each,
// few enough that eight walks stay below the connections a backend usually grants.
const walkParallel = 8

// Walk implements storagedriver.StorageDriver. An entry that vanishes after it was listed is
// still called back, or has nothing below it; neither is an error.
func (g *gate) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	const op = "Walk"
	if err := g.admitDirectory(ctx, op, path); err != nil {
		return err
	}
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	inner, cancel := context.WithCancel(ctx)
	w := &walk{gate: g, ctx: inner, root: path, f: f, hint: o.StartAfterHint, lists: make(chan struct{}, walkParallel)}
	err := w.run()
	cancel()
	w.streams.Wait()
	switch {
	case w.stopped && w.result == storagedriver.ErrFilledBuffer: //nolint:errorlint // by identity
		return nil
	case w.stopped:
		return w.result
	}
	return g.wrap(ctx, op, path, err)
}

// walk is one Walk.
type walk struct {
	gate  *gate
	ctx   context.Context
	root  string
	f     storagedriver.WalkFunc
	hint  string // StartAfterHint
	start string // what sorts at or before it is not called back; "" is nothing

	stopped bool  // f has ended the walk
	result  error // with this

	streams sync.WaitGroup
	lists   chan struct{} // holds a token for each listing in flight
	window  int           // how many subdirectories are listed ahead
}

// errStop unwinds a walk that f has ended.
var errStop = storagedriver.NewError(storagedriver.KindUnknown, "the walk has been ended")

func (w *walk) run() error {
	if err := w.findStart(); err != nil {
		return err
	}
	if w.gate.has(storagedriver.AbilityListTree) {
		return w.tree()
	}
	return w.directory(w.root, w.open(w.gate.listPager(w.root)))
}

// findStart looks whether the hint names a directory, because what sorts between its
// name and its name with "/" (as /a-b does, of /a) then comes before it.
func (w *walk) findStart() error {
	w.start = w.hint
	if storagedriver.ValidatePath(w.hint) != nil {
		return nil
	}
	entry, err := w.gate.stat(w.ctx, w.hint)
	if entry.Dir && err == nil {
		w.start += "/"
	}
	if kind := storagedriver.KindOf(err); kind == storagedriver.KindInvalidPath {
		return nil // below a file: it names nothing
	}
	return unlessMissing(err)
}

// call calls f back with an entry, unless the hint excludes it. It returns false if f
// wants what is below the entry left out.
func (w *walk) call(path string, e storagedriver.Entry) (bool, error) {
	k := path
	if e.Dir {
		k += "/"
	}
	if w.start != "" && k <= w.start || path == w.hint {
		return true, nil
	}
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	switch err := w.f(storagedriver.NewFileInfo(path, e)); err { //nolint:errorlint // by identity
	case nil:
		return true, nil
	case storagedriver.ErrSkipDir:
		return false, nil
	default:
		w.stopped, w.result = true, err
		return false, errStop
	}
}

// leads reports whether anything below the directory at path may come after the hint.
func (w *walk) leads(path string) bool {
	k := path + "/"
	return k > w.start || strings.HasPrefix(w.start, k)
}

// directory walks the directory at path, whose listing is s.
func (w *walk) directory(path string, s *stream) error {
	defer s.cancel()
	empty := true
	for page := range s.pages {
		if page.err != nil {
			if path != w.root {
				return unlessMissing(page.err)
			}
			return page.err
		}
		empty = empty && len(page.entries) == 0
		if err := w.entries(path, page.entries); err != nil {
			return err
		}
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if empty && path == w.root {
		return w.gate.isDirectory(w.ctx, path)
	}
	return nil
}

// entries walks one page of a directory. Subdirectories are listed ahead as far as
// the callback has lately wanted them: a walk that skips most does not list them.
func (w *walk) entries(path string, entries []storagedriver.Entry) error {
	ahead := map[int]*stream{}
	defer func() {
		for _, s := range ahead {
			s.cancel()
		}
	}()
	next := 0
	for i, e := range entries {
		for next = max(next, i); next < len(entries) && len(ahead) < w.window; next++ {
			child := storagedriver.JoinPath(path, entries[next].Name)
			if entries[next].Dir && public(entries[next].Name) && w.leads(child) {
				ahead[next] = w.open(w.gate.listPager(child))
			}
		}
		if !public(e.Name) {
			continue
		}
		child := storagedriver.JoinPath(path, e.Name)
		down, err := w.call(child, e)
		if err != nil {
			return err
		}
		if !e.Dir || !w.leads(child) {
			continue
		}
		s := ahead[i]
		delete(ahead, i)
		if !down {
			w.window /= 2
			if s != nil {
				s.cancel()
			}
			continue
		}
		w.window = min(2*w.window+1, walkParallel)
		if s == nil {
			s = w.open(w.gate.listPager(child))
		}
		if err := w.directory(child, s); err != nil {
			return err
		}
	}
	return nil
}

// stream is a listing that is read ahead by up to two pages.
type stream struct {
	pages  chan page // closed at the end, after an error, and when the walk ends
	cancel context.CancelFunc
}

type page struct {
	entries []storagedriver.Entry
	more    bool
	err     error
}

func (w *walk) open(p *pager) *stream {
	ctx, cancel := context.WithCancel(w.ctx)
	s := &stream{pages: make(chan page, 1), cancel: cancel}
	w.streams.Go(func() {
		defer cancel()
		defer close(s.pages)
		for p.more() {
			entries, err := w.fetch(ctx, p)
			select {
			case s.pages <- page{entries, p.more(), err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return s
}

func (w *walk) fetch(ctx context.Context, p *pager) ([]storagedriver.Entry, error) {
	select {
	case w.lists <- struct{}{}:
		defer func() { <-w.lists }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.unsorted {
		return p.all(ctx)
	}
	return p.next(ctx)
}
