package orphans

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// listPage is how many entries are asked for at a time: the most that S3 gives.
	listPage = 1000
	// parallel is how many listings are in flight: as in Walk, enough to hide a round trip each.
	parallel = 8
)

// migrationState is where layers/migrate keeps its state: it is nobody's remains, however old it is.
const migrationState = "/~migrate"

// List calls f serially with everything private at or below the directory at path, and with the uploads below it that
// the backend keeps to itself where it declares AbilityListUploads and AbilityParts, in no particular order and once for
// each Path and Kind. A missing directory has nothing. An error of f ends it and comes back.
func List(ctx context.Context, b storagedriver.Backend, path string, f func(Orphan) error) error {
	l := &lister{b: b}
	uploads, err := l.hidden(ctx, path)
	if err != nil {
		return err
	}
	err = l.private(ctx, path, func(o Orphan) error {
		uploads.take(&o)
		return f(o)
	})
	if err != nil {
		return err
	}
	for _, o := range uploads.all() {
		if err := f(*o); err != nil {
			return err
		}
	}
	return nil
}

// private calls f serially with everything private at or below the directory at path.
func (l *lister) private(ctx context.Context, path string, f func(Orphan) error) error {
	ctx, cancel := context.WithCancel(ctx)
	if l.b.Capabilities().Has(storagedriver.AbilityListTree) {
		defer cancel()
		return l.tree(ctx, path, f)
	}
	results := make(chan result)
	todo, running := []string{path}, 0
	defer func() { // the listings that are left end before this returns
		cancel()
		for ; running > 0; running-- {
			<-results
		}
	}()
	for len(todo) > 0 || running > 0 {
		// The last first: what is below a directory is done before its neighbours, so that few wait.
		for len(todo) > 0 && running < parallel {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			running++
			go func() {
				d, err := l.directory(ctx, next)
				results <- result{d, err}
			}()
		}
		r := <-results
		running--
		if err := unlessMissing(r.err); err != nil {
			return err
		}
		for _, o := range r.orphans {
			if err := f(*o); err != nil {
				return err
			}
		}
		todo = append(todo, r.dirs...)
	}
	return ctx.Err()
}

type result struct {
	directory
	err error
}

// directory is what matters of one.
type directory struct {
	orphans []*Orphan
	dirs    []string // public ones in it
}

// lister lists a backend. Its methods may be called concurrently.
type lister struct{ b storagedriver.Backend }

// directory lists the one at path and what is in its private directories.
func (l *lister) directory(ctx context.Context, path string) (directory, error) {
	entries, err := l.entries(ctx, path)
	if err != nil {
		return directory{}, err
	}
	var d directory
	found := finds{}
	for _, e := range entries {
		child := storagedriver.JoinPath(path, e.Name)
		switch {
		case !storagedriver.IsPrivate(e.Name) && e.Dir:
			d.dirs = append(d.dirs, child)
		case !storagedriver.IsPrivate(e.Name), child == migrationState:
		default:
			o := found.at(child, e.Dir)
			if err := l.add(ctx, o, child, e); err != nil {
				return directory{}, err
			}
		}
	}
	d.orphans = found.all()
	return d, nil
}

// add adds the private entry at path, and all below it.
func (l *lister) add(ctx context.Context, o *Orphan, path string, e storagedriver.Entry) error {
	if !e.Dir {
		o.file(e)
		return nil
	}
	entries, err := l.entries(ctx, path)
	if err != nil {
		return unlessMissing(err)
	}
	if len(entries) == 0 { // a directory of files is as old as they are
		o.touched(e.ModTime)
	}
	for _, below := range entries {
		if err := l.add(ctx, o, storagedriver.JoinPath(path, below.Name), below); err != nil {
			return err
		}
	}
	return nil
}

func (o *Orphan) file(e storagedriver.Entry) {
	o.Files, o.Bytes = o.Files+1, o.Bytes+e.Size
	o.touched(e.ModTime)
}

// touched says that something of o was written then.
func (o *Orphan) touched(then time.Time) {
	if then.After(o.ModTime) {
		o.ModTime = then
	}
}

// entries returns the whole listing of a directory.
func (l *lister) entries(ctx context.Context, path string) (all []storagedriver.Entry, err error) {
	err = pages(ctx, "the listing of "+path, func(cursor string) (storagedriver.Page, error) {
		return l.b.List(ctx, path, cursor, listPage)
	}, func(e storagedriver.Entry) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

// tree lists what is below path by the backend's ListTree, whose names ascend: all of one directory come together, though
// not all of one upload.
func (l *lister) tree(ctx context.Context, path string, f func(Orphan) error) error {
	found, dir := finds{}, ""
	flush := func() error {
		for _, o := range found.all() {
			if err := f(*o); err != nil {
				return err
			}
		}
		clear(found)
		return nil
	}
	err := pages(ctx, "the tree listing of "+path, func(cursor string) (storagedriver.Page, error) {
		return l.b.ListTree(ctx, path, "", cursor, listPage)
	}, func(e storagedriver.Entry) error {
		mark := strings.Index(e.Name, storagedriver.PrivateMark)
		if mark < 0 || storagedriver.IsBelow(storagedriver.JoinPath(path, e.Name), migrationState) {
			return nil
		}
		// The first private component, and the directory it is in.
		begin := strings.LastIndexByte(e.Name[:mark], '/') + 1
		end, isDir := len(e.Name), false
		if i := strings.IndexByte(e.Name[begin:], '/'); i >= 0 {
			end, isDir = begin+i, true
		}
		if e.Name[:begin] != dir {
			if err := flush(); err != nil {
				return err
			}
			dir = e.Name[:begin]
		}
		found.at(storagedriver.JoinPath(path, e.Name[:end]), isDir).file(e)
		return nil
	})
	if err := unlessMissing(err); err != nil {
		return err
	}
	return flush()
}

// pages calls f with the entries of every page.
func pages(ctx context.Context, what string, fetch func(cursor string) (storagedriver.Page, error), f func(storagedriver.Entry) error) error {
	cursors := map[string]bool{}
	for cursor := ""; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := fetch(cursor)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := f(e); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == "" {
			return nil
		}
		if cursors[cursor] {
			return storagedriver.Errorf(storagedriver.KindCorrupt, "%s goes in circles: the cursor %.80q came before", what, cursor)
		}
		cursors[cursor] = true
	}
}

// finds are the orphans of one directory, by path and kind.
type finds map[identity]*Orphan

type identity struct {
	path string
	kind Kind
}

// identityOf returns what path belongs to: "f~" and "f~state", and all below them, to the upload to f, what begins with the
// mark to nobody, and a public path to the upload to it.
func identityOf(path string) identity {
	mark := strings.Index(path, storagedriver.PrivateMark)
	switch {
	case mark < 0:
		return identity{path, Upload}
	case path[mark-1] != '/':
		return identity{path[:mark], Upload}
	}
	if i := strings.IndexByte(path[mark:], '/'); i >= 0 {
		path = path[:mark+i]
	}
	return identity{path, Temporary}
}

// at returns the orphan that the private name at path belongs to.
func (f finds) at(path string, dir bool) *Orphan {
	k := identityOf(path)
	o := f[k]
	if o == nil {
		o = &Orphan{Path: k.path, Kind: k.kind}
		f[k] = o
	}
	if n := (name{path, dir}); !slices.Contains(o.names, n) {
		o.names = append(o.names, n)
	}
	return o
}

func (f finds) all() []*Orphan {
	all := make([]*Orphan, 0, len(f))
	for _, o := range f {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *Orphan) int { return strings.Compare(a.Path, b.Path) })
	return all
}
