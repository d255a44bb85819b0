package model

import (
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// state is what the contract says must be there. Paths are the script's.
type state struct {
	capabilities storagedriver.Capabilities

	files map[string]content
	// ghosts are paths that may be directories which hold nothing: whether those exist is open.
	ghosts   map[string]bool
	uploads  map[string]*upload // by path; those without one never had an upload
	sessions map[string]*session
	readings map[string]*reading
	origins  int // of uploads
}

func newState(c storagedriver.Capabilities) *state {
	return &state{
		capabilities: c, files: map[string]content{}, ghosts: map[string]bool{}, uploads: map[string]*upload{},
		sessions: map[string]*session{}, readings: map[string]*reading{},
	}
}

func (s *state) has(a storagedriver.Ability) bool { return s.capabilities.Has(a) }

// nested reports whether files may be under files.
func (s *state) nested() bool { return s.has(storagedriver.AbilityFilesUnderFiles) }

// isFile and isDir are both true of a path only where files may be under files.
func (s *state) isFile(path string) bool {
	_, ok := s.files[path]
	return ok
}

func (s *state) isDir(path string) bool {
	if path == "/" {
		return true
	}
	for p := range s.files {
		if storagedriver.IsBelow(p, path) {
			return true
		}
	}
	return false
}

// mayBeDir reports whether there may be a directory at path that holds nothing: one that held something
// once, or the state of an upload below it.
func (s *state) mayBeDir(path string) bool {
	if s.isDir(path) {
		return false
	}
	return s.emptyDirs()[path]
}

// emptyDirs returns all paths that may be directories which hold nothing: the ghosts, and those that a writer has made
// or makes for its state, even where they were deleted meanwhile.
func (s *state) emptyDirs() map[string]bool {
	out := maps.Clone(s.ghosts)
	for _, w := range s.sessions {
		for dir, _ := storagedriver.ParentPath(w.path); w.running() && dir != "/"; dir, _ = storagedriver.ParentPath(dir) {
			out[dir] = true
		}
	}
	return out
}

// underFile reports whether something above path is a file.
func (s *state) underFile(path string) bool {
	for dir, _ := storagedriver.ParentPath(path); dir != "/"; dir, _ = storagedriver.ParentPath(dir) {
		if s.isFile(dir) {
			return true
		}
	}
	return false
}

// blocked reports whether there cannot be a file at path.
func (s *state) blocked(path string) bool {
	return !s.nested() && (s.isDir(path) || s.underFile(path))
}

// mayBeBlocked reports whether a directory that may exist is in the way of a file at path.
func (s *state) mayBeBlocked(path string) bool { return !s.nested() && s.mayBeDir(path) }

// touch says that directories above path may have been made.
func (s *state) touch(path string) {
	for dir, _ := storagedriver.ParentPath(path); dir != "/"; dir, _ = storagedriver.ParentPath(dir) {
		s.ghosts[dir] = true
	}
}

// put makes c the content at path.
func (s *state) put(path string, c content) {
	s.files[path] = c
	s.touch(path)
	if !s.nested() {
		delete(s.ghosts, path)
		// Where a directory was that held nothing but uploads they may be gone.
		s.doubt(path, false)
		for _, w := range s.sessions {
			if storagedriver.IsBelow(w.path, path) || storagedriver.IsBelow(path, w.path) {
				w.blocked = true
			}
		}
	}
	s.replaced(path)
}

// replaced says that the content at path is not what it was.
func (s *state) replaced(path string) {
	for _, r := range s.readings {
		if r.path == path {
			r.disturbed = true
		}
	}
	for _, w := range s.sessions {
		if w.path == path && w.onCommitted {
			w.contested = true
		}
	}
}

func (s *state) remove(path string) {
	delete(s.files, path)
	s.replaced(path)
}

// at returns the paths of the files at path and below it, sorted.
func (s *state) at(path string) []string {
	var out []string
	for p := range s.files {
		if p == path || storagedriver.IsBelow(p, path) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// entry is something that a listing or a walk shows.
type entry struct {
	path string
	dir  bool
}

// key is what a walk is ordered by.
func (e entry) key() string {
	if e.dir {
		return e.path + "/"
	}
	return e.path
}

func fromKey(key string) entry {
	path, dir := strings.CutSuffix(key, "/")
	return entry{path, dir}
}

// tree returns the keys of all that must be below path, and of directories that may be there.
func (s *state) tree(path string) (must, may map[string]bool) {
	must, may = map[string]bool{}, map[string]bool{}
	for p := range s.files {
		if !storagedriver.IsBelow(p, path) {
			continue
		}
		must[p] = true
		for dir, _ := storagedriver.ParentPath(p); storagedriver.IsBelow(dir, path); dir, _ = storagedriver.ParentPath(dir) {
			must[dir+"/"] = true
		}
	}
	for dir := range s.emptyDirs() {
		if storagedriver.IsBelow(dir, path) && !must[dir+"/"] {
			may[dir+"/"] = true
		}
	}
	return must, may
}

// missing reports whether there is nothing at path.
func (s *state) missing(path string) bool { return !s.isFile(path) && !s.isDir(path) }
