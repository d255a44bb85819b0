package storagedriver

import "time"

// Entry is what a Backend says of one file or directory.
type Entry struct {
	// Name is the name within the listed directory, without slashes: never "", "."
	// or "..". ListTree gives the path relative to the listed directory instead.
	// Stat leaves it empty.
	Name string
	// Size is the length of a file in bytes, and 0 for a directory.
	Size int64
	// ModTime is when a file was last written; zero when the backend cannot say.
	ModTime time.Time
	// Dir reports a directory.
	Dir bool
}

// Page is a part of a listing.
type Page struct {
	Entries []Entry
	// Cursor, given to the next call, continues the listing. It is opaque and at
	// most MaxCursor bytes; "" ends the listing.
	Cursor string
}

// MaxCursor is the most bytes a Page's Cursor may have: one key of an object store
// (1,024 in S3, the longest of those known) and room for encoding it.
const MaxCursor = 4096

// NewFileInfo returns the FileInfo of an entry at path.
func NewFileInfo(path string, e Entry) FileInfo {
	return fileInfo{path: path, entry: e}
}

type fileInfo struct {
	path  string
	entry Entry
}

func (f fileInfo) Path() string { return f.path }

func (f fileInfo) Size() int64 {
	if f.entry.Dir {
		return 0
	}
	return f.entry.Size
}

func (f fileInfo) ModTime() time.Time { return f.entry.ModTime }
func (f fileInfo) IsDir() bool        { return f.entry.Dir }
