package filesystem

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// direntBuffers are what directories are read into: some 400 names of a blob store a call.
var direntBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// dirFlags refuse what is no directory, before it is opened.
const dirFlags = unix.O_DIRECTORY

// directory is one that is open for reading, by one goroutine. It is a bare descriptor: a directory is opened for each
// blob that is listed, and package os would register each for the collector.
type directory struct {
	fd   int
	f    *os.File // whose descriptor it is, if os.Root opened it
	name string
}

// openDir opens a directory. The caller closes it.
func (t *tree) openDir(name string) (directory, error) {
	d := directory{name: name}
	err := t.fast.with(func(root int) (err error) {
		d.fd, err = openat2(root, name, unix.O_RDONLY|dirFlags, 0)
		return err
	})
	if err != errElsewhere {
		return d, err
	}
	if d.f, err = t.root.OpenFile(name, os.O_RDONLY|dirFlags, 0); err == nil {
		d.fd = int(d.f.Fd())
	}
	return d, err
}

func (d directory) close() {
	if d.f != nil {
		_ = d.f.Close() // it was only read
		return
	}
	_ = unix.Close(d.fd)
}

// stat is Lstat of a name in the directory.
func (d directory) stat(name string) (fs.FileInfo, error) {
	var s unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstatat(d.fd, name, &s, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return nil, &os.PathError{Op: "fstatat", Path: join(d.name, name), Err: err}
	}
	return infoOf(name, &s), nil
}

// scan calls f for each entry, in no order, until it returns an error. mode is the entry's type, which the directory itself says
// on nearly every file system: package os would look at every file that is below an os.Root.
func (d directory) scan(f func(name string, mode fs.FileMode) error) error {
	buffer := direntBuffers.Get().(*[32 << 10]byte)
	defer direntBuffers.Put(buffer)
	for {
		n := 0
		err := uninterrupted(func() (err error) {
			n, err = unix.Getdents(d.fd, buffer[:])
			return err
		})
		if err != nil {
			return &os.PathError{Op: "getdents", Path: d.name, Err: err}
		}
		if n == 0 {
			return nil
		}
		for rest := buffer[:n]; len(rest) > direntName; {
			length := int(binary.NativeEndian.Uint16(rest[direntLength:]))
			name, _, _ := bytes.Cut(rest[direntName:length], []byte{0})
			kind := rest[direntType]
			rest = rest[length:]
			if string(name) == "." || string(name) == ".." {
				continue
			}
			mode, err := typeOfEntry(d.fd, string(name), kind)
			if err == unix.ENOENT {
				continue // it has gone since
			}
			if err == nil {
				err = f(string(name), mode)
			}
			if err != nil {
				return err
			}
		}
	}
}

// Where a struct linux_dirent64 has its length, type and name.
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

func typeOfEntry(dir int, name string, kind byte) (fs.FileMode, error) {
	if kind != unix.DT_UNKNOWN {
		return typeOf(uint32(kind) << 12), nil // as glibc's DTTOIF
	}
	var s unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstatat(dir, name, &s, unix.AT_SYMLINK_NOFOLLOW) })
	return typeOf(s.Mode), err
}
