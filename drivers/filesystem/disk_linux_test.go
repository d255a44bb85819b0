package filesystem_test

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// disk is what a loss of power leaves of a directory: less than any file system we know. A file has the content that was
// synced last, whatever was written since; a directory has the names that were synced last, each by itself. A rename is
// atomic: it reaches both its directories or neither.
type disk struct {
	t    *testing.T
	root string

	content map[uint64][]byte            // of files, by inode
	names   map[uint64]map[string]uint64 // of directories, by inode
	renames []rename                     // that are in no directory yet
	pinned  map[uint64]*os.File          // keeps the number of every inode seen from being given again
}

type rename struct {
	file             uint64
	fromDir, toDir   uint64
	fromName, toName string
}

func newDisk(t *testing.T, root string) *disk {
	d := &disk{t: t, root: root, content: map[uint64][]byte{}, names: map[uint64]map[string]uint64{}, pinned: map[uint64]*os.File{}}
	t.Cleanup(func() {
		for _, f := range d.pinned {
			_ = f.Close()
		}
	})
	return d
}

// inode returns the number of the file or directory at name, or 0.
func (d *disk) inode(name string) uint64 {
	info, err := os.Lstat(filepath.Join(d.root, name))
	if err != nil {
		return 0
	}
	number := info.Sys().(*syscall.Stat_t).Ino
	if d.pinned[number] == nil {
		f, err := os.Open(filepath.Join(d.root, name))
		if err != nil {
			d.t.Error(err)
			return 0
		}
		d.pinned[number] = f
	}
	return number
}

// observe is told what the driver did.
func (d *disk) observe(effect string, names ...string) {
	number := d.inode(names[0])
	switch effect {
	case "sync":
		b, err := os.ReadFile(filepath.Join(d.root, names[0]))
		if err != nil {
			d.t.Error(err)
		}
		d.content[number] = b
	case "sync directory":
		d.names[number] = d.now(names[0])
		d.settleRenames(number)
	case "rename":
		d.renames = append(d.renames, rename{
			d.inode(names[1]), d.inode(path.Dir(names[0])), d.inode(path.Dir(names[1])), path.Base(names[0]), path.Base(names[1]),
		})
	}
}

// now returns what is in a directory.
func (d *disk) now(dir string) map[string]uint64 {
	entries, err := os.ReadDir(filepath.Join(d.root, dir))
	if err != nil {
		d.t.Error(err)
	}
	names := map[string]uint64{}
	for _, e := range entries {
		names[e.Name()] = d.inode(path.Join(dir, e.Name()))
	}
	return names
}

func (d *disk) settleRenames(dir uint64) {
	d.renames = slices.DeleteFunc(d.renames, func(r rename) bool {
		switch dir {
		case r.toDir:
			if d.names[r.fromDir][r.fromName] == r.file {
				delete(d.names[r.fromDir], r.fromName)
			}
		case r.fromDir:
			if d.names[r.toDir] == nil {
				d.names[r.toDir] = map[string]uint64{}
			}
			d.names[r.toDir][r.toName] = r.file
		default:
			return false
		}
		return true
	})
}

// A crash is which of the effects that were not synced reached the disk.
type crash string

const (
	// nothing did.
	nothing crash = "nothing"
	// namesOnly: all names did, and of files that were not synced nothing.
	namesOnly crash = "names"
	// zeros: so did the sizes of files, and zeros for the bytes.
	zeros crash = "names and sizes"
)

// after returns what is in the directory after the crash, by name; directories end in "/".
func (d *disk) after(c crash) map[string]string {
	files := map[string]string{}
	if c == nothing {
		d.durable(d.inode("."), "", files)
		return files
	}
	var walk func(dir string)
	walk = func(dir string) {
		for name, number := range d.now(dir) {
			name = path.Join(dir, name)
			info, err := os.Lstat(filepath.Join(d.root, name))
			switch {
			case err != nil:
				d.t.Error(err)
			case info.IsDir():
				files[name+"/"] = ""
				walk(name)
			default:
				files[name] = string(d.content[number])
				if short := info.Size() - int64(len(d.content[number])); c == zeros && short > 0 {
					files[name] += strings.Repeat("\x00", int(short))
				}
			}
		}
	}
	walk(".")
	return files
}

func (d *disk) durable(dir uint64, prefix string, into map[string]string) {
	for name, number := range d.names[dir] {
		info, err := d.pinned[number].Stat()
		switch {
		case err != nil:
			d.t.Error(err)
		case info.IsDir():
			into[prefix+name+"/"] = ""
			d.durable(number, prefix+name+"/", into)
		default:
			into[prefix+name] = string(d.content[number])
		}
	}
}

// restore makes the directory to what is in files.
func restore(t *testing.T, to string, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(to, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(full, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(files[name]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
