package storagedriver

import (
	"io"
	"io/fs"
)

func errClosed() error { return NewError(KindClosed, "it has been closed") }

// fsDir is an open directory.
type fsDir struct {
	fs      driverFS
	name    string
	info    fsInfo
	listed  bool
	entries []fs.DirEntry // not yet read
	closed  bool
}

func (d *fsDir) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, pathError("stat", d.name, errClosed())
	}
	return d.info, nil
}

func (d *fsDir) Read([]byte) (int, error) {
	return 0, pathError("read", d.name, NewError(KindInvalidArgument, "it is a directory"))
}

func (d *fsDir) Close() error {
	if d.closed {
		return pathError("close", d.name, errClosed())
	}
	d.closed, d.entries = true, nil
	return nil
}

// ReadDir implements fs.ReadDirFile.
func (d *fsDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, pathError("readdir", d.name, errClosed())
	}
	if !d.listed {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.entries, d.listed = entries, true
	}
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	out := append([]fs.DirEntry{}, d.entries[:n]...)
	d.entries = d.entries[n:]
	return out, nil
}

// fsFile is an open file. The driver is asked for its content when it is read.
type fsFile struct {
	fs     driverFS
	name   string
	info   fsInfo
	at     int64         // where the next Read begins
	body   io.ReadCloser // from at, or nil
	closed bool
}

func (f *fsFile) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, pathError("stat", f.name, errClosed())
	}
	return f.info, nil
}

func (f *fsFile) Read(p []byte) (int, error) {
	switch {
	case f.closed:
		return 0, pathError("read", f.name, errClosed())
	case len(p) == 0:
		return 0, nil
	case f.at >= f.info.Size():
		return 0, io.EOF
	}
	if f.body == nil {
		body, err := f.open(f.at)
		if err != nil {
			return 0, err
		}
		f.body = body
	}
	n, err := f.body.Read(p)
	f.at += int64(n)
	if err != nil && err != io.EOF {
		err = pathError("read", f.name, err)
	}
	return n, err
}

func (f *fsFile) open(offset int64) (io.ReadCloser, error) {
	body, err := f.fs.driver.Reader(f.fs.ctx, "/"+f.name, offset)
	if err != nil {
		return nil, pathError("read", f.name, err)
	}
	return body, nil
}

// Seek implements io.Seeker.
func (f *fsFile) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, pathError("seek", f.name, errClosed())
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.info.Size()
	default:
		return 0, pathError("seek", f.name, Errorf(KindInvalidArgument, "whence %d is none of io.SeekStart, io.SeekCurrent and io.SeekEnd", whence))
	}
	if offset < 0 {
		return 0, pathError("seek", f.name, Errorf(KindInvalidOffset, "offset %d is negative", offset))
	}
	if offset != f.at {
		f.drop() // its verdict is about bytes that nobody asked for
		f.at = offset
	}
	return offset, nil
}

// ReadAt implements io.ReaderAt. It may be called concurrently.
func (f *fsFile) ReadAt(p []byte, offset int64) (int, error) {
	switch {
	case f.closed:
		return 0, pathError("read", f.name, errClosed())
	case offset < 0:
		return 0, pathError("read", f.name, Errorf(KindInvalidOffset, "offset %d is negative", offset))
	case len(p) == 0:
		return 0, nil
	case offset >= f.info.Size():
		return 0, io.EOF
	}
	body, err := f.open(offset)
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(body, p)
	closeErr := body.Close()
	switch {
	case err == io.ErrUnexpectedEOF || err == io.EOF:
		return n, io.EOF
	case err == nil && closeErr != nil:
		err = closeErr
	}
	if err != nil {
		return n, pathError("read", f.name, err)
	}
	return n, nil
}

func (f *fsFile) drop() {
	if f.body != nil {
		_ = f.body.Close()
		f.body = nil
	}
}

// Close implements fs.File.
func (f *fsFile) Close() error {
	if f.closed {
		return pathError("close", f.name, errClosed())
	}
	f.closed = true
	if f.body == nil {
		return nil
	}
	err := f.body.Close()
	f.body = nil
	if err != nil {
		return pathError("close", f.name, err)
	}
	return nil
}
