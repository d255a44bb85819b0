package storagedriver

import (
	"context"
	"io"
	"time"
)

// StorageDriver is a filesystem-like key/value store for large objects.
//
// Paths follow [ValidatePath]. Every method may be called concurrently from any
// number of goroutines, and honours its context: it returns promptly, with an error
// for which errors.Is(err, context.Canceled) or errors.Is(err,
// context.DeadlineExceeded) holds, when the context ends. Every error a method
// returns is an [*Error], except those a WalkFunc gave, which come back as they are.
type StorageDriver interface {
	// Name returns the name the driver is registered under, for messages and logs.
	Name() string

	// Capabilities returns what this driver does, after the layers in between have
	// had their say. It is constant for the driver's life.
	Capabilities() Capabilities

	// GetContent returns the whole content at path. It is for small objects: the
	// content is held in memory. A missing path is KindNotFound.
	GetContent(ctx context.Context, path string) ([]byte, error)

	// PutContent stores content at path, atomically: a concurrent reader sees the
	// old content or the new, whole. On error the old content is untouched.
	PutContent(ctx context.Context, path string, content []byte) error

	// Reader opens the content at path from offset, in bytes. At the end it is an
	// empty reader; beyond the end, or negative, KindInvalidOffset. The caller closes
	// the reader; the context governs it until then. A body that ends early or runs
	// on is an error at its end, never a silent io.EOF.
	Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error)

	// Writer opens an upload whose content appears at path when it is committed.
	//
	// With append it continues the suspended upload at path; if there is none but
	// committed content exists, it continues that when it is empty or
	// [AbilityAppendCommitted] is set, and answers KindUnsupported otherwise; a path
	// with neither starts empty. Without append a suspended upload is discarded.
	// Opening disturbs no other writer of the same upload; accepted bytes do.
	// When ctx ends the writer suspends itself.
	Writer(ctx context.Context, path string, append bool) (FileWriter, error)

	// Stat describes the file or directory at path; "/" always exists. A directory
	// that holds nothing may be reported as missing.
	Stat(ctx context.Context, path string) (FileInfo, error)

	// List returns the full paths of the direct children of the directory at path,
	// in ascending byte order. A path that is missing is KindNotFound, as is a file
	// (it has no children and is no directory).
	List(ctx context.Context, path string) ([]string, error)

	// Move moves the file or directory at sourcePath to destPath, replacing a file
	// there. Unfinished uploads at or below both paths end. It is not repeated when
	// its answer is lost.
	Move(ctx context.Context, sourcePath string, destPath string) error

	// Delete removes the file at path or the directory and all below it, and ends
	// unfinished uploads there. A path with nothing at it is KindNotFound.
	Delete(ctx context.Context, path string) error

	// RedirectURL returns a URL from which the content at path may be fetched as
	// options say, or "" when the content cannot be redirected to.
	RedirectURL(ctx context.Context, path string, options RedirectOptions) (string, error)

	// Walk calls f for everything below path, serially and parents first, in
	// ascending byte order of the full path, where a directory counts as its path
	// followed by "/". See [WalkFunc] and [WithStartAfterHint].
	Walk(ctx context.Context, path string, f WalkFunc, options ...func(*WalkOptions)) error

	// Close releases what the driver holds. It is called once, by whoever created
	// the driver, after the last call has returned; open readers fail afterwards.
	Close() error
}

// FileWriter is one upload. It is used by one goroutine at a time.
//
// Until Commit returns nil nothing is visible at the path, and content committed
// there before is untouched.
type FileWriter interface {
	// Write accepts p. What it reports as written is counted in Size.
	//
	// Close without Commit suspends the upload so that Writer with append, in this
	// process or another, continues it. It runs under a deadline of its own, not
	// under the context given to Writer; it is idempotent and does nothing after
	// Commit or Cancel.
	io.WriteCloser

	// Size is the number of bytes of the whole upload accepted so far, exact after
	// every Write. After Close it is what the next Writer with append will report,
	// also when suspending failed.
	Size() int64

	// Cancel ends the upload and removes what it stored; after Close as well. After
	// Commit it returns nil and removes nothing.
	Cancel(ctx context.Context) error

	// Commit makes the content visible at the path, atomically for readers. After an
	// error the upload can be closed (suspended) or cancelled. KindConflict says
	// that another writer has taken the upload over.
	Commit(ctx context.Context) error
}

// FileInfo describes a file or directory.
type FileInfo interface {
	// Path is the full path.
	Path() string
	// Size is the length of a file in bytes, and 0 for a directory.
	Size() int64
	// ModTime is when a file was last written; for a directory it may be zero.
	ModTime() time.Time
	// IsDir reports whether the path is a directory.
	IsDir() bool
}

// RedirectOptions says who will follow a redirect, and how.
type RedirectOptions struct {
	// Method is the HTTP method, GET or HEAD.
	Method string
	// RemoteAddr is the address of the client's connection, host:port.
	RemoteAddr string
	// ForwardedFor is the client's X-Forwarded-For header, or "".
	ForwardedFor string
}
