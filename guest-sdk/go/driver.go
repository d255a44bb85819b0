package berth

import "time"

// Driver is what the author of a driver writes. Stat, List, Read, Put and Delete make one;
// embed [Unimplemented] for the rest and declare in the abilities what you override.
//
// Paths are absolute and clean. Names with "~" are the host's private names: store them
// like any other.
//
// In a sandbox an instance runs one call at a time, and the next call may meet another
// instance: what must outlive a call belongs on the backend. Natively methods are
// called concurrently, so what a driver does keep it guards with a mutex.
//
// The Call, and every Stream, sink, Key, Store and Receipts of a call, must not be used after the method has returned.
type Driver interface {
	// Stat describes the file or directory at path. "/" must succeed when the
	// backend is reachable. Nothing there is KindNotFound.
	Stat(c *Call, path string) (Entry, error)

	// List returns one page of the direct children of the directory at path, at
	// most limit entries. Names ascend in byte order across pages, a directory counted as its
	// name followed by "/", unless AbilityUnsorted is declared. A missing
	// directory is KindNotFound or an empty page; a file is KindNotFound.
	List(c *Call, path, cursor string, limit int) (Page, error)

	// Read opens length bytes from offset; -1 means to the end, and a range past the end is
	// clamped. offset equal to the size is empty content; beyond is KindInvalidOffset.
	Read(c *Call, path string, offset, length int64) (Content, error)

	// Put stores body at path, atomically, creating directories above it. A body that
	// ends early or fails leaves the old content.
	Put(c *Call, path string, body *Stream) error

	// Delete removes the file at path, or the directory there if it is empty.
	// Nothing there is KindNotFound or nil.
	Delete(c *Call, path string) error

	// DeleteTree removes path and all below it (AbilityDeleteTree). With AbilityParts it
	// does what AbortUploads does, too.
	DeleteTree(c *Call, path string) error

	// Copy copies a file, atomically for readers of dest (AbilityCopy). A
	// missing source is KindNotFound and leaves dest alone.
	Copy(c *Call, source, dest string) error

	// Move moves a file, replacing one at dest, atomically for readers of dest
	// (AbilityMove); directories too with AbilityMoveTree.
	Move(c *Call, source, dest string) error

	// Concat stores at dest the contents of sources, in order (AbilityConcat).
	Concat(c *Call, dest string, sources []string) error

	// ListTree returns one page of all files below path with relative names,
	// ascending, beginning after startAfter (AbilityListTree).
	ListTree(c *Call, path, startAfter, cursor string, limit int) (Page, error)

	// Redirect returns a URL the content may be fetched from, or "" (AbilityRedirect).
	Redirect(c *Call, path string, options RedirectOptions) (string, error)

	Uploads
	Streams
}

// Uploads is the part protocol (AbilityParts). All state of an unfinished upload lies
// beside its target, in names with "~".
type Uploads interface {
	// OpenUpload opens an upload to path. Without resume it is a fresh one. With resume
	// it continues the suspended one if there is one: Resumed is set, the receipts of
	// its parts are put into receipts, and the tail is answered. Opening disturbs no other
	// writer. It may be lazy: what costs a request can wait for the first part.
	OpenUpload(c *Call, path string, resume bool, receipts *Receipts) (Upload, error)

	// PutPart stores one part and returns its receipt, opaque, at most MaxReceipt
	// bytes. Parts run in parallel, on several instances. Repeating a number replaces.
	PutPart(c *Call, token string, part Part) ([]byte, error)

	// SuspendUpload makes receipts and tail (nil: none) durable for OpenUpload.
	// KindConflict: another writer has moved on.
	SuspendUpload(c *Call, token string, receipts *Receipts, tail *Stream) error

	// CommitUpload makes the parts, followed by last (nil: none), visible at the path,
	// atomically, and removes the upload's state. It is not repeated.
	CommitUpload(c *Call, token string, receipts *Receipts, last *Part) error

	// CancelUpload ends the upload and removes what it stored. An unknown token is nil.
	CancelUpload(c *Call, token string) error

	// AbortUploads ends every unfinished upload to path and to everything below it. For uploads that
	// are done in a store it passes that on to the store.
	AbortUploads(c *Call, path string) error

	// ListUploads returns one page of the unfinished uploads to paths below the directory at path that
	// List and ListTree show nothing of, whoever began them, in no order (AbilityListUploads). An entry's
	// Name is the target's, relative to path, its ModTime when the upload was begun, its Size 0; a target may
	// occur more than once. A missing directory is an empty page. AbortUploads of a target ends those that are
	// listed of it.
	ListUploads(c *Call, path, cursor string, limit int) (Page, error)
}

// Streams are the operations of drivers whose bytes pass through them, and of those that have a store do
// their uploads.
type Streams interface {
	// Stream writes to out, for one of two purposes, which state tells apart. For a read that was answered with state it is what
	// the object has from where state begins; body is the one that was answered with it, or nil. When
	// writing fails with KindCanceled the reader has all it wants, or is gone, and Stream
	// returns. For a piece of an upload that was delegated with Transform, at most MaxPiece
	// bytes, which body has, what is written is what the store gets. state
	// is then what Stream returned for the piece before, empty at the first, and the frames that
	// are written must end where the piece does. A piece may come again, with the same
	// state, after a failure; of the first attempt nothing is kept. It runs beside other
	// calls, on an instance of its own. state must not be used after it has returned.
	Stream(c *Call, path string, state []byte, body *Stream, out *Output) (next []byte, err error)

	// Committing is asked before a delegated upload to path becomes visible, with its size before it was
	// transformed. An error prevents that. With Transform state is what Stream returned last, and
	// what is written to out ends the content; else out is nil.
	Committing(c *Call, path string, size int64, state []byte, out *Output) error
}

// MaxPiece is the most bytes of a piece of an upload that Stream is given.
const MaxPiece = 4 << 20

// Entry describes one file or directory.
type Entry struct {
	// Name is the name within the listed directory; relative to it in ListTree, empty in Stat.
	Name string
	// Size is the length of a file in bytes, 0 for a directory.
	Size int64
	// ModTime is when a file was last written; zero when unknown.
	ModTime time.Time
	// Dir reports a directory.
	Dir bool
}

// Page is a part of a listing. Cursor, "" at the end, continues it.
type Page struct {
	Entries []Entry
	Cursor  string
}

// Content is what Read answers: Length bytes, of Body, from where it stands, or in Data, or to be
// made by Stream from State. Data is for small content, and for drivers that have all content in memory.
type Content struct {
	Length int64
	Body   *Stream
	Data   []byte
	// Version, 1 to MaxVersion bytes, tells this content of the path from any other that was there or will be. With it Data, which still has all of Length, may
	// be longer than MaxInline: the host is given that many bytes and calls Read for what is left, when the reader gets there; if Version is another by then
	// the read fails. It is for Read only.
	Version []byte
	// State, when it is not empty, is what Stream is given, together with Body if there is one; at most MaxState bytes. It is for Read only.
	State []byte
	// Skip is how many bytes that Stream writes are before the first one asked for; at most MaxSkip.
	Skip int64
}

// RedirectOptions says who follows a redirect, and with which method.
type RedirectOptions struct {
	Method       string
	RemoteAddr   string
	ForwardedFor string
}

// Upload is an open upload.
type Upload struct {
	// Token names the upload in every further call: opaque, at most MaxToken bytes.
	Token string
	// Limits bound the parts.
	Limits UploadLimits
	// Resumed says that a suspended upload is being continued.
	Resumed bool
	// Tail is what was accepted after the last part: its Length is 0 when there is nothing.
	Tail Content
	// Delegate has a store do the upload. Everything else is then left out, and of this driver only
	// Stream, Committing and AbortUploads are asked.
	Delegate Delegate
}

// Delegate is an upload in a store.
type Delegate struct {
	// Store is the name of a granted store; "" is none.
	Store string
	// Path is where in it the content goes.
	Path string
	// Transform has the content pass through Stream.
	Transform bool
}

// UploadLimits bound the parts of an upload; 0 means no limit.
type UploadLimits struct {
	// Min and Max bound a part's bytes; the last may be smaller than Min.
	Min, Max int64
	// Count is the most parts of an upload.
	Count int
	// Multiple is what every part's size but the last's is a multiple of.
	Multiple int64
	// Equal demands one size of all parts but the last.
	Equal bool
	// Sequential demands one part at a time, in order.
	Sequential bool
	// Total is the most bytes of an upload.
	Total int64
	// Digests names the digests wanted with each part: sha256, md5, crc32c.
	Digests []string
}

// Part is one part of an upload.
type Part struct {
	// Number counts from 1.
	Number int
	// Offset is where in the upload it begins, Size how long it is.
	Offset, Size int64
	// Body is the content.
	Body *Stream
	// Digests are the raw digests that the limits asked for.
	Digests map[string][]byte
}

// Receipt says that a part is stored.
type Receipt struct {
	Number int
	Offset int64
	Size   int64
	Data   []byte
}

// Unimplemented answers KindUnsupported to everything a driver need not do. Embed it.
type Unimplemented struct{}

func unsupported(op string) error {
	return NewError(KindUnsupported, op, " is not supported by this driver")
}

// DeleteTree implements Driver.
func (Unimplemented) DeleteTree(*Call, string) error { return unsupported("DeleteTree") }

// Copy implements Driver.
func (Unimplemented) Copy(*Call, string, string) error { return unsupported("Copy") }

// Move implements Driver.
func (Unimplemented) Move(*Call, string, string) error { return unsupported("Move") }

// Concat implements Driver.
func (Unimplemented) Concat(*Call, string, []string) error { return unsupported("Concat") }

// ListTree implements Driver.
func (Unimplemented) ListTree(*Call, string, string, string, int) (Page, error) {
	return Page{}, unsupported("ListTree")
}

// Redirect implements Driver.
func (Unimplemented) Redirect(*Call, string, RedirectOptions) (string, error) {
	return "", unsupported("Redirect")
}

// OpenUpload implements Uploads.
func (Unimplemented) OpenUpload(*Call, string, bool, *Receipts) (Upload, error) {
	return Upload{}, unsupported("OpenUpload")
}

// PutPart implements Uploads.
func (Unimplemented) PutPart(*Call, string, Part) ([]byte, error) {
	return nil, unsupported("PutPart")
}

// SuspendUpload implements Uploads.
func (Unimplemented) SuspendUpload(*Call, string, *Receipts, *Stream) error {
	return unsupported("SuspendUpload")
}

// CommitUpload implements Uploads.
func (Unimplemented) CommitUpload(*Call, string, *Receipts, *Part) error {
	return unsupported("CommitUpload")
}

// CancelUpload implements Uploads.
func (Unimplemented) CancelUpload(*Call, string) error { return unsupported("CancelUpload") }

// AbortUploads implements Uploads.
func (Unimplemented) AbortUploads(*Call, string) error { return unsupported("AbortUploads") }

// ListUploads implements Uploads.
func (Unimplemented) ListUploads(*Call, string, string, int) (Page, error) {
	return Page{}, unsupported("ListUploads")
}

// Stream implements Streams.
func (Unimplemented) Stream(*Call, string, []byte, *Stream, *Output) ([]byte, error) {
	return nil, unsupported("Stream")
}

// Committing implements Streams: it prevents nothing.
func (Unimplemented) Committing(*Call, string, int64, []byte, *Output) error { return nil }
