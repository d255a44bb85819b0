//go:build !linux

package filesystem

import (
	"io"
	"io/fs"
	"os"
)

// beneath answers nothing here: os.Root does all.
type beneath struct{ dir *os.File }

func newBeneath(dir *os.File) beneath { return beneath{dir} }

func (b beneath) close() error { return b.dir.Close() }

func (beneath) openFile(string, int, fs.FileMode) (*os.File, error) { return nil, errElsewhere }
func (beneath) stat(string, bool) (fs.FileInfo, error)              { return nil, errElsewhere }
func (beneath) mkdir(string, fs.FileMode) error                     { return errElsewhere }
func (beneath) rename(string, string) error                         { return errElsewhere }
func (beneath) remove(string) error                                 { return errElsewhere }
func (beneath) rmdir(string) error                                  { return errElsewhere }
func (beneath) isNamed(*os.File, string) (bool, error)              { return false, errElsewhere }

// dirFlags keep the opening of a pipe from waiting for its other end.
const dirFlags = openFlags

// directory is one that is open for reading, by one goroutine.
type directory struct {
	f    *os.File
	root *os.Root
	name string
}

// openDir opens a directory. The caller closes it.
func (t *tree) openDir(name string) (directory, error) {
	f, err := t.root.OpenFile(name, os.O_RDONLY|dirFlags, 0)
	return directory{f, t.root, name}, err
}

func (d directory) close() { _ = d.f.Close() } // it was only read

// stat is Lstat of a name in the directory.
func (d directory) stat(name string) (fs.FileInfo, error) { return d.root.Lstat(join(d.name, name)) }

// scan calls f for each entry, in no order, until it returns an error. mode is the entry's type.
func (d directory) scan(f func(name string, mode fs.FileMode) error) error {
	for {
		entries, err := d.f.ReadDir(batch)
		for _, e := range entries {
			if err := f(e.Name(), e.Type()); err != nil {
				return err
			}
		}
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}
