package storagedriver

import (
	"context"
	"io"
)

// OpenFunc opens a backend with the operator's parameters. The context governs the
// opening only. Unknown, missing or impossible parameters are KindInvalidArgument and
// the error names the parameter and what is allowed. The caller closes the Backend.
type OpenFunc func(ctx context.Context, parameters map[string]any) (Backend, error)

// Backend is what the author of a driver writes. Stat, List, Read, Put and Delete make
// a driver; embed [Unimplemented] for the rest and declare in Capabilities what you
// override. Callers reach a Backend only through layers.Complete, which validates
// every path and refuses what Capabilities do not declare.
//
// Paths are absolute and clean. Beside those of [ValidatePath] a Backend meets private
// names, which also contain "~": it stores them like any other.
//
// Every method may be called concurrently and returns promptly when its context ends.
// Errors: classify with [NewError] or return *Error values; what carries no Kind counts as
// KindUnknown, except fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid and the context errors.
type Backend interface {
	// Name returns the driver's name.
	Name() string

	// Capabilities returns what the backend does. It is constant.
	Capabilities() Capabilities

	// Stat describes the file or directory at path. "/" must succeed when the
	// backend is reachable. Nothing at path is KindNotFound.
	Stat(ctx context.Context, path string) (Entry, error)

	// List returns one page of the direct children of the directory at path: at most
	// limit entries where the backend can say so, starting with cursor "" and going
	// on with the cursor of the page before. Names ascend in byte order across
	// pages, a directory counted as its name followed by "/", unless
	// AbilityUnsorted is declared. A missing directory is KindNotFound or, where
	// directories do not exist by themselves, an empty page. A file is KindNotFound.
	List(ctx context.Context, path, cursor string, limit int) (Page, error)

	// Read opens length bytes from offset; length -1 means to the end, and a range past
	// the end is clamped. The second result is the promise, min(length, size-offset):
	// the body must have exactly that many bytes, and no transparent decompression.
	// offset equal to the size is an empty body; beyond it is KindInvalidOffset.
	// The caller closes the body. Where the content is replaced while it is read, a body that does
	// not go on with the old one fails with KindConflict, and GetContent begins again.
	Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)

	// Put stores body at path, atomically, creating directories above it where the backend
	// has them: readers see the old content or the new, whole, and a body that
	// ends early or fails leaves the old. It may open body again to repeat.
	Put(ctx context.Context, path string, body Source) error

	// Delete removes the file at path, and the directory there if it is empty. Nothing
	// at path is KindNotFound or nil.
	Delete(ctx context.Context, path string) error

	// DeleteTree removes the file or directory at path and all below it
	// (AbilityDeleteTree). With AbilityParts it does what AbortUploads does, too. Nothing
	// at path is KindNotFound or nil.
	DeleteTree(ctx context.Context, path string) error

	// Copy copies the file at source to dest, atomically for readers of dest
	// (AbilityCopy). A missing source is KindNotFound and leaves dest alone.
	Copy(ctx context.Context, source, dest string) error

	// Move moves the file at source to dest, replacing a file there, atomically for
	// readers of dest (AbilityMove); directories too with AbilityMoveTree. A missing
	// source is KindNotFound and leaves dest alone.
	Move(ctx context.Context, source, dest string) error

	// Concat stores at dest the contents of the files at sources, in order, without
	// their bytes passing through the caller (AbilityConcat). It is atomic for readers
	// of dest; the sources stay.
	Concat(ctx context.Context, dest string, sources []string) error

	// ListTree returns one page of all files below path, at any depth, with names
	// relative to path in ascending byte order, beginning after startAfter
	// (a relative name, or "") (AbilityListTree). Directories are left out. startAfter need
	// not be there. Walk lists several parts of a tree at a time, each with a startAfter of
	// its own: a backend that would read through what comes before does not declare it.
	ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (Page, error)

	// Redirect is StorageDriver.RedirectURL (AbilityRedirect).
	Redirect(ctx context.Context, path string, options RedirectOptions) (string, error)

	// Uploads is the part protocol (AbilityParts).
	Uploads

	// Close releases what the backend holds. It is called once, after the last call.
	Close() error
}

// Unimplemented answers KindUnsupported to everything a Backend need not do. Embed it.
type Unimplemented struct{}

func unsupported(op string) error {
	return NewError(KindUnsupported, op+" is not supported by this driver")
}

// DeleteTree implements Backend.
func (Unimplemented) DeleteTree(context.Context, string) error { return unsupported("DeleteTree") }

// Copy implements Backend.
func (Unimplemented) Copy(context.Context, string, string) error { return unsupported("Copy") }

// Move implements Backend.
func (Unimplemented) Move(context.Context, string, string) error { return unsupported("Move") }

// Concat implements Backend.
func (Unimplemented) Concat(context.Context, string, []string) error { return unsupported("Concat") }

// ListTree implements Backend.
func (Unimplemented) ListTree(context.Context, string, string, string, int) (Page, error) {
	return Page{}, unsupported("ListTree")
}

// Redirect implements Backend.
func (Unimplemented) Redirect(context.Context, string, RedirectOptions) (string, error) {
	return "", unsupported("Redirect")
}

// OpenUpload implements Uploads.
func (Unimplemented) OpenUpload(context.Context, string, bool) (Upload, error) {
	return Upload{}, unsupported("OpenUpload")
}

// PutPart implements Uploads.
func (Unimplemented) PutPart(context.Context, string, Part) ([]byte, error) {
	return nil, unsupported("PutPart")
}

// SuspendUpload implements Uploads.
func (Unimplemented) SuspendUpload(context.Context, string, *Receipts, Source) error {
	return unsupported("SuspendUpload")
}

// CommitUpload implements Uploads.
func (Unimplemented) CommitUpload(context.Context, string, *Receipts, Source) error {
	return unsupported("CommitUpload")
}

// CancelUpload implements Uploads.
func (Unimplemented) CancelUpload(context.Context, string) error { return unsupported("CancelUpload") }

// AbortUploads implements Uploads.
func (Unimplemented) AbortUploads(context.Context, string) error { return unsupported("AbortUploads") }

// ListUploads implements Uploads.
func (Unimplemented) ListUploads(context.Context, string, string, int) (Page, error) {
	return Page{}, unsupported("ListUploads")
}

// Close implements Backend.
func (Unimplemented) Close() error { return nil }
