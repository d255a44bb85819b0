package davfs

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
)

// upload is the body of one PUT, or a file of a COPY: a temporary file that Close renames to its
// target if the body came whole, and removes otherwise. The file is not embedded: its ReadFrom
// would write bytes that Write does not see.
type upload struct {
	file     *os.File
	root     *os.Root
	exchange *exchange
	name     string // of the temporary file
	target   string
	written  int64
}

// newUpload refuses at once what could not be renamed later: a target whose parent is
// missing, or that is a directory.
func newUpload(root *os.Root, x *exchange, target string) (*upload, error) {
	parent, err := root.Stat(path.Dir(target))
	if err != nil {
		return nil, err
	}
	if !parent.IsDir() {
		return nil, &fs.PathError{Op: "put", Path: target, Err: fs.ErrNotExist}
	}
	if info, err := root.Stat(target); err == nil && info.IsDir() {
		x.status = http.StatusMethodNotAllowed
		return nil, &fs.PathError{Op: "put", Path: target, Err: fs.ErrExist}
	}
	u := &upload{root: root, exchange: x, name: temporaryName(), target: target}
	u.file, err = root.OpenFile(u.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	n, err := u.file.Write(p)
	u.written += int64(n)
	return n, u.exchange.fail(err)
}

// Read implements http.File.
func (u *upload) Read(p []byte) (int, error) { return u.file.Read(p) }

// Seek implements http.File.
func (u *upload) Seek(offset int64, whence int) (int64, error) { return u.file.Seek(offset, whence) }

// Readdir implements http.File.
func (u *upload) Readdir(int) ([]fs.FileInfo, error) {
	return nil, &fs.PathError{Op: "readdir", Path: u.target, Err: fs.ErrInvalid}
}

// Stat implements http.File.
func (u *upload) Stat() (fs.FileInfo, error) { return u.file.Stat() }

// Close implements io.Closer.
func (u *upload) Close() error {
	if err := u.finish(); err != nil {
		return u.exchange.fail(errors.Join(err, u.root.Remove(u.name)))
	}
	return u.exchange.fail(syncDir(u.root, path.Dir(u.target)))
}

func (u *upload) finish() error {
	if !u.exchange.complete(u.written) {
		return errors.Join(errIncomplete, u.file.Close())
	}
	if err := errors.Join(u.file.Sync(), u.file.Close()); err != nil {
		return err
	}
	return u.root.Rename(u.name, u.target)
}
