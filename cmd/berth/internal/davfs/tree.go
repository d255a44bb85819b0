package davfs

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/net/webdav"
)

// tree implements webdav.FileSystem over the data directory of root.
type tree struct{ root *os.Root }

var _ webdav.FileSystem = tree{}

// locate returns where name lies in the root.
func locate(name string) (string, error) {
	p := strings.TrimPrefix(path.Clean("/"+name), "/")
	if p == "" {
		return dataDir, nil
	}
	if strings.ContainsRune(p, 0) || !filepath.IsLocal(filepath.FromSlash(p)) {
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return dataDir + "/" + p, nil
}

// absent turns "a component above is a file" into "not there", which is what the
// library asks for.
func absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return &fs.PathError{Op: "open", Path: "", Err: fs.ErrNotExist}
	}
	return err
}

// Mkdir implements webdav.FileSystem.
func (t tree) Mkdir(ctx context.Context, name string, _ os.FileMode) error {
	p, err := locate(name)
	if err != nil {
		return err
	}
	if err := t.root.Mkdir(p, 0o700); err != nil {
		return exchangeOf(ctx).fail(absent(err))
	}
	return exchangeOf(ctx).fail(syncDir(t.root, path.Dir(p)))
}

// OpenFile implements webdav.FileSystem: with O_CREATE it is the body of a PUT or the target of a
// COPY, otherwise a file or a directory to read.
func (t tree) OpenFile(ctx context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	p, err := locate(name)
	if err != nil {
		return nil, err
	}
	x := exchangeOf(ctx)
	if flag&os.O_CREATE != 0 {
		f, err := newUpload(t.root, x, p)
		if err != nil {
			return nil, x.fail(absent(err))
		}
		return f, nil
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	f, err := t.root.Open(p)
	if err != nil {
		return nil, x.failListing(absent(err))
	}
	// A regular file is returned as it is: net/http then sends it without copying.
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.IsDir() {
		return directory{f, x}, nil
	}
	x.source = info.Size()
	return f, nil
}

// failListing notes that a directory cannot be read. One that has gone meanwhile is no
// failure.
func (x *exchange) failListing(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.failed = true
	}
	return x.fail(err)
}

// RemoveAll implements webdav.FileSystem. Before a MOVE or a COPY the library removes the target.
// That is left to the rename that replaces it.
func (t tree) RemoveAll(ctx context.Context, name string) error {
	x := exchangeOf(ctx)
	if x.method == "MOVE" || x.method == "COPY" {
		return nil
	}
	p, err := locate(name)
	if err != nil {
		return err
	}
	if p == dataDir {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrInvalid}
	}
	trash, err := t.discard(p)
	if err != nil {
		return x.fail(err)
	}
	if err := syncDir(t.root, path.Dir(p)); err != nil {
		return x.fail(err)
	}
	return x.fail(t.root.RemoveAll(trash))
}

// discard takes what is at p out of the tree, in one step, and returns where it is.
func (t tree) discard(p string) (string, error) {
	trash := temporaryName()
	return trash, t.root.Rename(p, trash)
}

// Rename implements webdav.FileSystem. A file replaces a file in one step. A directory on
// either side of a replacement is swapped in two, and put back if the second fails.
func (t tree) Rename(ctx context.Context, oldName, newName string) error {
	x := exchangeOf(ctx)
	from, err := locate(oldName)
	if err != nil {
		return err
	}
	to, err := locate(newName)
	if err != nil {
		return err
	}
	if strings.HasPrefix(from+"/", to+"/") || strings.HasPrefix(to+"/", from+"/") {
		return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrInvalid}
	}
	source, err := t.root.Lstat(from)
	if err != nil {
		x.status = http.StatusNotFound
		return x.fail(absent(err))
	}
	if err := t.replace(from, to, source.IsDir()); err != nil {
		if errors.Is(absent(err), fs.ErrNotExist) {
			x.status = http.StatusConflict // no collection to move into
		}
		return x.fail(err)
	}
	if err := syncDir(t.root, path.Dir(to)); err != nil {
		return x.fail(err)
	}
	if path.Dir(from) == path.Dir(to) {
		return nil
	}
	return x.fail(syncDir(t.root, path.Dir(from)))
}

func (t tree) replace(from, to string, fromIsDir bool) error {
	target, err := t.root.Lstat(to)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fromIsDir && !target.IsDir() {
		return t.root.Rename(from, to)
	}
	if err != nil {
		return err
	}
	trash, err := t.discard(to)
	if err != nil {
		return err
	}
	if err := t.root.Rename(from, to); err != nil {
		return errors.Join(err, t.root.Rename(trash, to))
	}
	return t.root.RemoveAll(trash)
}

// Stat implements webdav.FileSystem.
func (t tree) Stat(_ context.Context, name string) (os.FileInfo, error) {
	p, err := locate(name)
	if err != nil {
		return nil, err
	}
	info, err := t.root.Stat(p)
	if err != nil {
		return nil, absent(err)
	}
	return fileInfo{info}, nil
}

// fileInfo answers the content type, which the library would guess from the content.
type fileInfo struct{ os.FileInfo }

// ContentType implements webdav.ContentTyper.
func (fileInfo) ContentType(context.Context) (string, error) { return "application/octet-stream", nil }

// directory notes a listing that fails: the library would report an empty collection.
type directory struct {
	*os.File
	exchange *exchange
}

func (d directory) Readdir(count int) ([]os.FileInfo, error) {
	infos, err := d.File.Readdir(count)
	return infos, d.exchange.failListing(err)
}

// syncDir makes the entries of a directory durable.
func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
