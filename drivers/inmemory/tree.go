package inmemory

import (
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// node is a file (content is set) or a directory (children is set).
type node struct {
	content *content
	modTime time.Time

	children map[string]*node
	// order is the keys of the children, sorted, or nil when they have to be sorted again.
	order []string
}

func newDir() *node { return &node{children: map[string]*node{}} }

func (n *node) isDir() bool { return n.children != nil }

func (n *node) entry(name string) storagedriver.Entry {
	if n.isDir() {
		return storagedriver.Entry{Name: name, Dir: true}
	}
	return storagedriver.Entry{Name: name, Size: n.content.size(), ModTime: n.modTime}
}

// find returns the node at path below the directory n, or nil.
func (n *node) find(path string) *node {
	for name := range components(path) {
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}

// admits returns KindInvalidPath unless a file can be put at path.
func (n *node) admits(path string) error {
	for name := range components(path) {
		if n != nil && !n.isDir() {
			return storagedriver.NewError(storagedriver.KindInvalidPath, "the path leads through a file")
		}
		if n != nil {
			n = n.children[name]
		}
	}
	if n != nil && n.isDir() {
		return storagedriver.NewError(storagedriver.KindInvalidPath, "a directory is there")
	}
	return nil
}

// insert puts what at path, which admits has found possible, making directories.
func (n *node) insert(path string, what *node) {
	dir, name := storagedriver.ParentPath(path)
	for component := range components(dir) {
		child := n.children[component]
		if child == nil {
			child = newDir()
			n.set(component, child)
		}
		n = child
	}
	n.set(name, what)
}

// set makes child the child called name of the directory n.
func (n *node) set(name string, child *node) {
	old := n.children[name]
	n.children[name] = child
	if old == nil || old.isDir() != child.isDir() {
		n.order = nil
	}
}

// remove takes away the node at path, which exists, and the directories this leaves empty.
func (n *node) remove(path string) {
	keep, key := n, ""
	for name := range components(path) {
		if key == "" || len(n.children) > 1 {
			keep, key = n, name
		}
		n = n.children[name]
	}
	delete(keep.children, key)
	keep.order = nil
}

// components yields the components of an absolute path; "/" has none.
func components(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for rest := path[1:]; rest != ""; {
			var name string
			name, rest, _ = strings.Cut(rest, "/")
			if !yield(name) {
				return
			}
		}
	}
}
