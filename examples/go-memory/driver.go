package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

type object struct {
	content  []byte // not changed while it is here
	modified time.Time
	version  int64 // no other content has it
}

// driver is called by one caller at a time in a sandbox, and by many natively.
type driver struct {
	berth.Unimplemented

	mu      sync.Mutex
	objects map[string]object
	paths   []string // of objects, ascending
	last    int64    // the last version that was given; it begins at the time, so that one after a crash has others
}

// Stat implements berth.Driver. Directories are the paths above objects.
func (d *driver) Stat(_ *berth.Call, path string) (berth.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o, is := d.objects[path]; is {
		return berth.Entry{Size: int64(len(o.content)), ModTime: o.modified}, nil
	}
	if path == "/" || d.isDirectory(path) {
		return berth.Entry{Dir: true}, nil
	}
	return berth.Entry{}, berth.NewError(berth.KindNotFound)
}

// List implements berth.Driver. The cursor is the key of the last entry of the page before.
func (d *driver) List(_ *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	prefix := directory(path)
	var page berth.Page
	for at := d.after(prefix, cursor); at < len(d.paths) && strings.HasPrefix(d.paths[at], prefix); at = d.after(prefix, cursor) {
		if len(page.Entries) == limit {
			page.Cursor = cursor
			return page, nil
		}
		name, _, dir := strings.Cut(d.paths[at][len(prefix):], "/")
		if dir {
			page.Entries = append(page.Entries, berth.Entry{Name: name, Dir: true})
			cursor = name + "/"
			continue
		}
		o := d.objects[d.paths[at]]
		page.Entries = append(page.Entries, berth.Entry{Name: name, Size: int64(len(o.content)), ModTime: o.modified})
		cursor = name
	}
	if len(page.Entries) == 0 && path != "/" && cursor == "" {
		return page, berth.NewError(berth.KindNotFound)
	}
	return page, nil
}

// Read implements berth.Driver. The host is given what fits into a message, and asks for the rest when its reader gets there.
func (d *driver) Read(_ *berth.Call, path string, offset, length int64) (berth.Content, error) {
	d.mu.Lock()
	o, is := d.objects[path]
	d.mu.Unlock()
	size := int64(len(o.content))
	switch {
	case !is:
		return berth.Content{}, berth.NewError(berth.KindNotFound)
	case offset > size:
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset, "the object has ", strconv.FormatInt(size, 10), " bytes")
	case length < 0 || length > size-offset:
		length = size - offset
	}
	return berth.Content{Length: length, Data: o.content[offset : offset+length], Version: strconv.AppendInt(nil, o.version, 10)}, nil
}

// Put implements berth.Driver.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	content := make([]byte, body.Size())
	if _, err := io.ReadFull(body, content); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store(path, content, c.Now())
}

// Delete implements berth.Driver. There are no empty directories.
func (d *driver) Delete(_ *berth.Call, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.remove(path)
}

// Move implements berth.Driver.
func (d *driver) Move(c *berth.Call, source, dest string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, is := d.objects[source]
	if !is {
		return berth.NewError(berth.KindNotFound)
	}
	if source == dest {
		return nil
	}
	if err := d.store(dest, o.content, c.Now()); err != nil {
		return err
	}
	return d.remove(source)
}

// Concat implements berth.Driver: the host puts what does not fit one Put in pieces, which it has joined.
func (d *driver) Concat(c *berth.Call, dest string, sources []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := 0
	for _, s := range sources {
		o, is := d.objects[s]
		if !is {
			return berth.NewError(berth.KindNotFound, s)
		}
		size += len(o.content)
	}
	content := make([]byte, 0, size)
	for _, s := range sources {
		content = append(content, d.objects[s].content...)
	}
	return d.store(dest, content, c.Now())
}

// store makes content visible at path, where there may be no directory, and above which there may be no file.
func (d *driver) store(path string, content []byte, now time.Time) error {
	if d.isDirectory(path) {
		return berth.NewError(berth.KindInvalidPath, "there is a directory")
	}
	for i := 1; i < len(path); i++ {
		if _, is := d.objects[path[:i]]; is && path[i] == '/' {
			return berth.NewError(berth.KindInvalidPath, path[:i], " is a file")
		}
	}
	if at, there := slices.BinarySearch(d.paths, path); !there {
		d.paths = slices.Insert(d.paths, at, path)
	}
	d.last++
	d.objects[path] = object{content: content, modified: now, version: d.last}
	return nil
}

func (d *driver) remove(path string) error {
	at, there := slices.BinarySearch(d.paths, path)
	if !there && d.isDirectory(path) {
		return berth.NewError(berth.KindInvalidPath, "the directory is not empty")
	}
	if !there {
		return berth.NewError(berth.KindNotFound)
	}
	d.paths = slices.Delete(d.paths, at, at+1)
	delete(d.objects, path)
	return nil
}

func (d *driver) isDirectory(path string) bool {
	prefix := directory(path)
	at, _ := slices.BinarySearch(d.paths, prefix)
	return at < len(d.paths) && strings.HasPrefix(d.paths[at], prefix)
}

// after returns the index of the first path below prefix that comes after the entry with the key cursor.
func (d *driver) after(prefix, cursor string) int {
	next := prefix + cursor
	if name, dir := strings.CutSuffix(cursor, "/"); dir {
		next = prefix + name + "0" // which is the character after "/"
	} else if cursor != "" {
		next += "\x00"
	}
	at, _ := slices.BinarySearch(d.paths, next)
	return at
}

// directory returns what the paths in the directory at path begin with.
func directory(path string) string {
	if path == "/" {
		return path
	}
	return path + "/"
}
