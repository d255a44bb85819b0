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
	if err := t.after(after); err != nil {
		return err
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
}

// worthJump is the part of a page that a directory which is left out must have at its end for the next listing to begin behind it, rather than
// to read on: a page of many small ones ends in one as well.
const worthJump = 4

// after walks the files after the given name.
func (t *treeWalk) after(name string) error {
	left := t.spansAfter(name)
	for {
		x, err := left.next()
		if x == nil || err != nil {
			return err
		}
		skipped := 0 // at the end of the page
		for _, e := range x.page.entries {
			t.any = true
			if t.skip != "" && strings.HasPrefix(e.Name, t.skip) {
				skipped++
				continue
			}
			skipped = 0
			if err := t.file(e); err != nil {
				return err
			}
		}
		end := t.skip + storagedriver.PrivateMark // no public name below t.skip sorts after it
		if skipped > len(x.page.entries)/worthJump && x.before != "" && x.before < end {
			left.jump(end)
			continue
		}
		left.walked()
	}
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
