package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// mayList returns what List and Walk of path may answer.
func (r *run) mayList(path string) []storagedriver.Kind {
	s := r.state
	switch {
	case r.emptyRoot(path), s.mayBeDir(path):
		return []storagedriver.Kind{ok, notFound}
	case s.isDir(path):
		return []storagedriver.Kind{ok}
	}
	return []storagedriver.Kind{notFound}
}

func (r *run) list(path string) {
	ctx, cancel := r.timed()
	defer cancel()
	what := "List " + path
	if path != "/" && storagedriver.ValidatePath(path) != nil {
		_, err := r.driver.List(ctx, path)
		r.want(err, what, invalidPath)
		return
	}
	children, err := r.driver.List(ctx, r.full(path))
	if !r.want(err, what, r.mayList(path)...) {
		return
	}
	must, may := r.state.tree(path)
	got := make([]string, 0, len(children))
	for _, c := range children {
		got = append(got, r.script(c))
	}
	r.wantKeys(what, got, childrenOf(path, must), childrenOf(path, may))
}

// childrenOf returns the paths directly below dir that keys name.
func childrenOf(dir string, keys map[string]bool) map[string]bool {
	out := map[string]bool{}
	for k := range keys {
		path := fromKey(k).path
		if above, _ := storagedriver.ParentPath(path); above == dir {
			out[path] = true
		}
	}
	return out
}

// wantKeys wants got to ascend, to have all of must, and nothing that is not in may beside.
func (r *run) wantKeys(what string, got []string, must, may map[string]bool) {
	want := fmt.Sprintf("%q", slices.Sorted(maps.Keys(must)))
	if len(may) > 0 {
		want += fmt.Sprintf(" (and perhaps %q)", slices.Sorted(maps.Keys(may)))
	}
	missing := maps.Clone(must)
	for i, k := range got {
		if i > 0 && got[i-1] >= k || !must[k] && !may[k] {
			r.fail(what, want, "%q", got)
		}
		delete(missing, k)
	}
	if len(missing) > 0 {
		r.fail(what, want, "%q", got)
	}
}

// errWalk is what a walk's function answers where the script says fail=.
var errWalk = errors.New("the function of the walk fails")

func (r *run) walk(op Op) {
	ctx, cancel := r.timed()
	defer cancel()
	what := "Walk " + op.Path
	if op.Path != "/" && storagedriver.ValidatePath(op.Path) != nil {
		err := r.driver.Walk(ctx, op.Path, func(storagedriver.FileInfo) error { return nil })
		r.want(err, what, invalidPath)
		return
	}
	var options []func(*storagedriver.WalkOptions)
	if op.After != "" {
		options = append(options, storagedriver.WithStartAfterHint(r.full(op.After)))
	}
	var got []string
	ended := false
	var bad *Mismatch
	err := r.driver.Walk(ctx, r.full(op.Path), func(info storagedriver.FileInfo) error {
		e := entry{r.script(info.Path()), info.IsDir()}
		if bad = r.wantInfo(what, e, info.Size(), ended); bad != nil {
			return errWalk
		}
		got = append(got, e.key())
		switch e.path {
		case op.Skip:
			return storagedriver.ErrSkipDir
		case op.Stop:
			ended = true
			return storagedriver.ErrFilledBuffer
		case op.Fail:
			ended = true
			return errWalk
		}
		return nil
	}, options...)
	if bad != nil {
		panic(bad) // here: the driver may have its own ways with one in the function
	}
	if ended && len(got) > 0 && fromKey(got[len(got)-1]).path == op.Fail && op.Fail != op.Stop && op.Fail != op.Skip {
		if err != errWalk { //nolint:errorlint // by identity
			r.fail(what, "the very error of its function", "%v", err)
		}
	} else if !r.want(err, what, r.mayList(op.Path)...) {
		return
	}
	must, may := r.state.tree(op.Path)
	r.startAfter(op.After, must, may)
	skipped(op.Skip, got, must, may)
	if ended {
		last := got[len(got)-1]
		maps.DeleteFunc(must, func(k string, _ bool) bool { return k > last })
	}
	r.wantKeys(what, got, must, may)
}

// wantInfo wants a call of a walk before its end, and the entry's size in it.
func (r *run) wantInfo(what string, e entry, size int64, ended bool) *Mismatch {
	if ended {
		return r.mismatch(what, "no call after the end", "one with "+e.key())
	}
	want := int64(0)
	if !e.dir {
		want = r.state.files[e.path].size()
	}
	if size != want {
		return r.mismatch(what+" of "+e.key(), fmt.Sprintf("%d bytes", want), fmt.Sprint(size))
	}
	return nil
}

// startAfter takes out what comes before the hint. What stands between a directory's name with and without "/"
// is in doubt where it is in doubt whether there is one.
func (r *run) startAfter(hint string, must, may map[string]bool) {
	if hint == "" {
		return
	}
	s := r.state
	start, unsure := hint, ""
	switch {
	case s.isFile(hint) && s.isDir(hint), s.mayBeDir(hint):
		unsure = hint + "/"
	case s.isDir(hint):
		start = hint + "/"
	}
	for _, keys := range []map[string]bool{must, may} {
		for k := range keys {
			switch {
			case k <= start || fromKey(k).path == hint:
				delete(keys, k)
			case k <= unsure:
				delete(keys, k)
				may[k] = true
			}
		}
	}
}

// skipped takes out what is below a directory whose call was answered with ErrSkipDir.
func skipped(dir string, got []string, must, may map[string]bool) {
	if dir == "" || !slices.Contains(got, dir+"/") {
		return
	}
	for _, keys := range []map[string]bool{must, may} {
		maps.DeleteFunc(keys, func(k string, _ bool) bool { return k != dir+"/" && strings.HasPrefix(k, dir+"/") })
	}
}

func (r *run) delete(path string) {
	ctx, cancel := r.timed()
	defer cancel()
	err := r.driver.Delete(ctx, r.target(path))
	if r.malformed(err, "Delete", path) {
		return
	}
	s := r.state
	switch {
	case !s.missing(path):
		r.want(err, "Delete", ok)
	case s.mayBeDir(path) || s.uploads[path] != nil:
		r.want(err, "Delete", ok, notFound)
	default:
		r.want(err, "Delete", notFound)
	}
	// Whether or not anything was there, the uploads have ended.
	s.end(path, true)
	for _, p := range s.at(path) {
		s.remove(p)
	}
	for dir := range s.ghosts {
		if dir == path || storagedriver.IsBelow(dir, path) {
			delete(s.ghosts, dir)
		}
	}
	r.look(path)
}

func (r *run) move(from, to string) {
	ctx, cancel := r.timed()
	defer cancel()
	const what = "Move"
	err := r.driver.Move(ctx, r.target(from), r.target(to))
	if r.malformed(err, what, from, to) {
		return
	}
	s := r.state
	moved := r.want(err, what, s.mayMove(from, to)...)
	switch {
	case moved && from == to, !moved && s.missing(from) && !s.mayBeDir(from):
	case moved:
		s.end(from, true)
		s.end(to, true)
	}
	if !moved || from == to {
		// Whether a move that fails has ended them is open.
		s.doubt(from, true)
		s.doubt(to, true)
	} else {
		r.moved(from, to)
	}
	r.look(from)
	r.look(to)
	for _, p := range s.at(to) {
		r.look(p)
	}
}

// mayMove returns what Move may answer.
func (s *state) mayMove(from, to string) []storagedriver.Kind {
	either := []storagedriver.Kind{ok, invalidPath}
	file := s.isFile(from)
	switch {
	case s.missing(from) && s.mayBeDir(from):
		return []storagedriver.Kind{ok, notFound, invalidPath}
	case s.missing(from):
		return []storagedriver.Kind{notFound}
	case from == to:
		return either
	case storagedriver.IsBelow(to, from) && (!file || !s.nested()):
		return []storagedriver.Kind{invalidPath}
	case file && s.nested():
		return []storagedriver.Kind{ok}
	case s.underFile(to) && !s.nested():
		return []storagedriver.Kind{invalidPath}
	case s.isDir(to) && s.isFile(to):
		return either // the directories may be joined
	case s.isDir(to):
		return []storagedriver.Kind{invalidPath}
	case s.mayBeDir(to):
		return either
	case !file && s.isFile(to):
		return either
	}
	return []storagedriver.Kind{ok}
}

// moved says that what is at from is now at to.
func (r *run) moved(from, to string) {
	s := r.state
	paths := s.at(from)
	if s.isFile(from) {
		paths = []string{from} // with files under files, those stay
	}
	contents := map[string]content{}
	for _, p := range paths {
		contents[to+strings.TrimPrefix(p, from)] = s.files[p]
		s.remove(p)
	}
	if _, file := contents[to]; !file && s.isFile(to) {
		r.movedOntoFile(to)
	}
	for p, c := range contents {
		s.put(p, c)
	}
	for dir := range s.emptyDirs() {
		if storagedriver.IsBelow(dir, from) {
			s.ghosts[to+strings.TrimPrefix(dir, from)] = true
		}
	}
	if len(contents) == 0 || len(paths) > 0 && paths[0] != from {
		s.ghosts[from], s.ghosts[to] = true, true
	}
	s.touch(to)
}

// movedOntoFile finds out whether a file is still there beside the directory that was moved to its path, which
// is open with files under files.
func (r *run) movedOntoFile(to string) {
	ctx, cancel := r.timed()
	defer cancel()
	if r.state.nested() {
		if _, err := r.driver.Stat(ctx, r.full(to)); err == nil {
			if body, err := r.driver.Reader(ctx, r.full(to), 0); err == nil {
				_ = body.Close() // its content is looked at below
				return
			}
		}
	}
	r.state.remove(to)
}
