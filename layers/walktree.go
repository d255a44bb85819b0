package layers

import (
	"strings"

	"github.com/berth-dev/storagedriver"
)

// tree walks by the backend's ListTree. Directories are found in the names of files.
func (w *walk) tree() error {
	below := w.root + "/"
	if w.root == "/" {
		below = "/"
	}
	after := ""
	switch rel, ok := strings.CutPrefix(w.start, below); {
	case ok:
		after = strings.TrimSuffix(rel, "/")
	case w.start > below:
		return w.hasTree() // everything comes before the hint
	}
	t := &treeWalk{walk: w, below: below}
	for again := true; again; {
		var err error
		if again, err = t.from(after); err != nil {
			return err
		}
		after = t.skip + storagedriver.PrivateMark // no public name below t.skip sorts after it
	}
	if !t.any {
		return w.hasTree()
	}
	return nil
}

// hasTree returns KindNotFound unless there is a directory at the root of the walk, of which nothing was listed
// that comes after the hint. With files under files a Stat says nothing of what is below a file.
func (w *walk) hasTree() error {
	err := w.gate.isDirectory(w.ctx, w.root)
	if err == nil || w.start == "" || !w.gate.has(storagedriver.AbilityFilesUnderFiles) || unlessMissing(err) != nil {
		return err
	}
	entries, listErr := w.gate.treePager(w.root, "").next(w.ctx)
	if listErr != nil || len(entries) > 0 {
		return listErr
	}
	return err
}

type treeWalk struct {
	*walk
	below string
	any   bool   // something was listed
	prev  string // the file before
	skip  string // what is below this directory, with "/", is left out
	// jumped is the skip that a new listing has begun behind: once is enough, since
	// private names may remain.
	jumped string
}

// from walks the files after the given name. It returns true to be called again with
// what follows t.skip, rather than to read through all of that.
func (t *treeWalk) from(after string) (again bool, err error) {
	p := t.gate.treePager(t.root, after)
	s := t.open(p)
	defer s.cancel()
	for page := range s.pages {
		if page.err != nil {
			return false, page.err
		}
		inSkip := false
		for _, e := range page.entries {
			t.any = true
			if inSkip = t.skip != "" && strings.HasPrefix(e.Name, t.skip); inSkip {
				continue
			}
			if err := t.file(e); err != nil {
				return false, err
			}
		}
		if inSkip && page.more && t.jumped != t.skip {
			t.jumped = t.skip
			return true, nil
		}
	}
	return false, t.ctx.Err()
}

// file calls back the directories above a file that are new, and the file.
func (t *treeWalk) file(e storagedriver.Entry) error {
	if storagedriver.ValidatePath(t.below+e.Name) != nil {
		return nil
	}
	prev := t.prev
	t.prev = e.Name
	for i, c := range e.Name {
		if c != '/' || strings.HasPrefix(prev, e.Name[:i+1]) {
			continue
		}
		down, err := t.call(t.below+e.Name[:i], storagedriver.Entry{Dir: true})
		if err != nil {
			return err
		}
		if !down {
			t.skip = e.Name[:i+1]
			return nil
		}
	}
	_, err := t.call(t.below+e.Name, e)
	return err
}
