package storagedriver

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// FS returns driver as a read-only file system, under no context: see [FSContext].
func FS(driver StorageDriver) fs.FS { return FSContext(context.Background(), driver) }

// FSContext returns driver as a read-only file system whose every operation, and every file it
// opened, is governed by ctx. It may be used concurrently. The driver is the caller's to close, after the files.
//
// "." is the driver's "/", and "a/b" its "/a/b". A name that no path can have, a private one among
// them, is of nothing: fs.ErrNotExist. Errors are *fs.PathError around the driver's, so KindOf finds
// their Kind. Files have mode 0444 and directories 0555; those have no ModTime. Sys is the FileInfo.
//
// It implements fs.StatFS, fs.ReadDirFS and fs.ReadFileFS, which is GetContent, limit and all. A file
// implements io.Seeker and io.ReaderAt, is opened on the driver when it is first read, and again after a Seek
// elsewhere and for each ReadAt; nothing of it is kept in memory. Of a directory the entries are, from
// the first ReadDir on.
func FSContext(ctx context.Context, driver StorageDriver) fs.FS {
	return driverFS{ctx: ctx, driver: driver}
}

type driverFS struct {
	ctx    context.Context
	driver StorageDriver
}

var (
	_ fs.StatFS      = driverFS{}
	_ fs.ReadDirFS   = driverFS{}
	_ fs.ReadFileFS  = driverFS{}
	_ fs.ReadDirFile = (*fsDir)(nil)
	_ fs.File        = (*fsFile)(nil)
	_ io.Seeker      = (*fsFile)(nil)
	_ io.ReaderAt    = (*fsFile)(nil)
)

// driverPath returns the driver's path of name.
func driverPath(name string) (string, error) {
	switch {
	case !fs.ValidPath(name):
		return "", NewError(KindInvalidPath, "a name is /-separated components, none of them empty, '.' or '..'; '.' alone is the root")
	case name == ".":
		return "/", nil
	}
	if err := ValidatePath("/" + name); err != nil {
		return "", Errorf(KindNotFound, "nothing can have this name: %w", err)
	}
	return "/" + name, nil
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (f driverFS) stat(op, name string) (fsInfo, error) {
	p, err := driverPath(name)
	if err != nil {
		return fsInfo{}, pathError(op, name, err)
	}
	info, err := f.driver.Stat(f.ctx, p)
	if err != nil {
		return fsInfo{}, pathError(op, name, err)
	}
	return fsInfo{name: path.Base(name), info: info}, nil
}

// Stat implements fs.StatFS.
func (f driverFS) Stat(name string) (fs.FileInfo, error) {
	info, err := f.stat("stat", name)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Open implements fs.FS.
func (f driverFS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return &fsDir{fs: f, name: name, info: info}, nil
	}
	return &fsFile{fs: f, name: name, info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (f driverFS) ReadFile(name string) ([]byte, error) {
	p, err := driverPath(name)
	if err == nil && p == "/" {
		err = NewError(KindInvalidArgument, "it is a directory")
	}
	if err != nil {
		return nil, pathError("read", name, err)
	}
	content, err := f.driver.GetContent(f.ctx, p)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return content, nil
}

// ReadDir implements fs.ReadDirFS.
func (f driverFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := driverPath(name)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	// A Walk of one level, because List says nothing but names.
	var entries []fs.DirEntry
	err = f.driver.Walk(f.ctx, p, func(info FileInfo) error {
		_, base := ParentPath(info.Path())
		entries = append(entries, fs.FileInfoToDirEntry(fsInfo{name: base, info: info}))
		if info.IsDir() {
			return ErrSkipDir
		}
		return nil
	})
	if KindOf(err) == KindNotFound {
		if info, statErr := f.driver.Stat(f.ctx, p); statErr == nil && !info.IsDir() {
			err = NewError(KindInvalidArgument, "it is not a directory")
		}
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// fsInfo is the fs.FileInfo of a FileInfo.
type fsInfo struct {
	name string
	info FileInfo
}

func (i fsInfo) Name() string { return i.name }
func (i fsInfo) Size() int64  { return i.info.Size() }
func (i fsInfo) IsDir() bool  { return i.info.IsDir() }
func (i fsInfo) Sys() any     { return i.info }

func (i fsInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// ModTime leaves directories without a time: drivers may give one by Stat and none by Walk.
func (i fsInfo) ModTime() time.Time {
	if i.IsDir() {
		return time.Time{}
	}
	return i.info.ModTime()
}
