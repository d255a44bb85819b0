package memory

import (
	"slices"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// List implements berth.Driver. The cursor is the key of a page's last entry.
func (d *driver) List(_ *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	d.mu.RLock()
	entries, is := d.directories[path]
	d.mu.RUnlock()
	if !is {
		return berth.Page{}, notFound()
	}
	if cursor != "" {
		at, found := position(entries, cursor)
		if found {
			at++
		}
		entries = entries[at:]
	}
	if len(entries) <= limit {
		return berth.Page{Entries: entries}, nil
	}
	return berth.Page{Entries: entries[:limit], Cursor: key(entries[limit-1])}, nil
}

// Delete implements berth.Driver. There are no empty directories.
func (d *driver) Delete(_ *berth.Call, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, is := d.directories[path]; is {
		return berth.NewError(berth.KindInvalidPath, "the directory is not empty")
	}
	if _, is := d.objects[path]; !is {
		return notFound()
	}
	delete(d.objects, path)
	for {
		above, name := split(path)
		d.remove(above, name)
		if len(d.directories[above]) > 0 || above == "/" {
			return nil
		}
		delete(d.directories, above)
		path = above
	}
}

// store makes an object visible.
func (d *driver) store(path string, o object) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, is := d.directories[path]; is {
		return berth.NewError(berth.KindInvalidPath, "there is a directory")
	}
	for above, _ := split(path); above != "/"; above, _ = split(above) {
		if _, is := d.objects[above]; is {
			return berth.NewError(berth.KindInvalidPath, "a file is above it")
		}
	}
	if old := d.objects[path].content; len(old) >= recycled {
		d.spare = old
	}
	d.objects[path] = o
	above, name := split(path)
	d.set(above, berth.Entry{Name: name, Size: int64(len(o.content)), ModTime: o.modified})
	for above != "/" {
		above, name = split(above)
		d.set(above, berth.Entry{Name: name, Dir: true})
	}
	return nil
}

// set puts an entry into a directory, which it makes.
func (d *driver) set(dir string, e berth.Entry) {
	entries := slices.Clone(d.directories[dir])
	at, found := position(entries, key(e))
	if found {
		entries[at] = e
	} else {
		entries = slices.Insert(entries, at, e)
	}
	d.directories[dir] = entries
}

// remove takes the entry with the name, a file's or a directory's, out of a directory.
func (d *driver) remove(dir, name string) {
	var left []berth.Entry
	for _, e := range d.directories[dir] {
		if e.Name != name {
			left = append(left, e)
		}
	}
	d.directories[dir] = left
}

func position(entries []berth.Entry, k string) (int, bool) {
	return slices.BinarySearchFunc(entries, k, func(e berth.Entry, k string) int { return strings.Compare(key(e), k) })
}

// key is what entries are ordered by.
func key(e berth.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// split returns the directory that path is in, and its name there.
func split(path string) (dir, name string) {
	at := strings.LastIndexByte(path, '/')
	return path[:max(at, 1)], path[at+1:]
}
