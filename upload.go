package storagedriver

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// Uploads is the part protocol of a Backend that declares AbilityParts. Package chunked
// drives it; what a driver keeps between calls is on the backend, never in memory, so
// that any call may run on another instance, process or machine.
//
// All state of an unfinished upload lies beside its target and is invisible to
// Stat, List, ListTree and Read of public paths.
type Uploads interface {
	// OpenUpload opens an upload to path. Without append it is a fresh one, and
	// leaves a suspended upload to be discarded by the caller through AbortUploads.
	// With append it resumes the suspended upload if there is one: Resumed is set
	// with the receipts and the tail; otherwise, if path has committed content that is
	// not empty, AbilityAppendCommitted decides as for StorageDriver.Writer.
	// Opening must not disturb another writer of the same upload. It may be lazy: what
	// costs a request can wait for the first part.
	OpenUpload(ctx context.Context, path string, append bool) (Upload, error)

	// PutPart stores one part and returns its receipt, at most MaxReceipt bytes.
	// Parts of one upload run in parallel unless Limits.Sequential. Repeating a part
	// with the same number replaces it.
	PutPart(ctx context.Context, token string, part Part) (receipt []byte, err error)

	// SuspendUpload makes receipts and tail durable so that OpenUpload with append
	// returns them. tail is nil when there is none; it is smaller than Limits.Min or
	// Limits.Multiple made a part. KindConflict: another writer has moved on.
	SuspendUpload(ctx context.Context, token string, receipts *Receipts, tail Source) error

	// CommitUpload makes the parts, in order of number, followed by last (nil when
	// there is none; the only one that may be smaller than Limits.Min) visible at the
	// path, atomically, and removes the upload's state. KindConflict as above.
	// When its answer is lost it is not repeated.
	CommitUpload(ctx context.Context, token string, receipts *Receipts, last Source) error

	// CancelUpload ends the upload and removes what it stored, and only that: when
	// another writer has since moved on, what is its own stays.
	// An unknown token is nil.
	CancelUpload(ctx context.Context, token string) error

	// AbortUploads ends every unfinished upload to path and to everything below it.
	// None is nil.
	AbortUploads(ctx context.Context, path string) error

	// ListUploads returns one page of the unfinished uploads to paths below the directory at
	// path that List and ListTree show nothing of, whoever began them, in no order
	// (AbilityListUploads). An entry's Name is the target's, relative to path, its ModTime when the upload was begun, and
	// its Size 0; a target may occur more than once. A missing directory is an empty page.
	// AbortUploads of a target ends those that are listed of it.
	ListUploads(ctx context.Context, path, cursor string, limit int) (Page, error)
}

// Upload is an open upload.
type Upload struct {
	// Token names the upload in every further call. It is opaque, at most MaxToken
	// bytes, constant for the upload's life, and the same after a resume where the
	// backend allows.
	Token string
	// Limits bound the parts.
	Limits PartLimits
	// Resumed reports that a suspended upload, or committed content, is being continued.
	Resumed bool
	// Receipts are the parts already stored, nil when there are none.
	Receipts *Receipts
	// Tail is what was accepted after the last part, nil when there is nothing.
	Tail Source
}

// Limits of the part protocol.
const (
	// MaxReceipt is the most bytes of a receipt: an ETag and a checksum of each kind
	// with room to spare.
	MaxReceipt = 1024
	// MaxToken is the most bytes of an upload's token: a path and an upload ID.
	MaxToken = 2048
)

// PartLimits bound the parts of an upload. Zero means no limit, or the caller's choice.
type PartLimits struct {
	// Min and Max bound a part's bytes; the last part may be smaller than Min.
	Min, Max int64
	// Count is the most parts an upload may have.
	Count int
	// Multiple is what every part's size but the last's is a multiple of.
	Multiple int64
	// Equal demands that all parts but the last have one size.
	Equal bool
	// Sequential demands one part at a time, in order.
	Sequential bool
	// Total is the most bytes an upload may have.
	Total int64
	// Digests names what Part.Digests must carry: "sha256", "md5", "crc32c".
	Digests []string

	// Want and Parallel are no bounds: the bytes of a part and how many parts of an upload are in flight, as the operator
	// of the backend has set them. What the gate was given (layers.WithPartSize, layers.WithParallel) comes before them, and
	// they do not cross the ABI.
	Want     int64
	Parallel int
}

// Part is one part of an upload.
type Part struct {
	// Number counts from 1, without gaps.
	Number int
	// Offset is where in the upload the part begins, in bytes.
	Offset int64
	// Body is the content; it may be opened more than once.
	Body Source
	// Digests are the raw digests of Body that Limits.Digests asked for.
	Digests map[string][]byte
}

// Receipt says that a part is stored.
type Receipt struct {
	Number int
	Offset int64
	Size   int64
	// Data is what PutPart returned: opaque, at most MaxReceipt bytes.
	Data []byte
}

// Receipts is a table of receipts by part number. It may be used concurrently. The
// zero value is empty.
type Receipts struct {
	mu       sync.Mutex
	receipts []Receipt // ascending by number
}

// Set adds r, or replaces the receipt of the same number.
func (r *Receipts) Set(receipt Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearchFunc(r.receipts, receipt.Number, func(x Receipt, n int) int { return cmp.Compare(x.Number, n) })
	if found {
		r.receipts[i] = receipt
		return
	}
	r.receipts = slices.Insert(r.receipts, i, receipt)
}

// Page returns at most limit receipts whose numbers follow after, in ascending order. A
// page shorter than limit is the last.
func (r *Receipts) Page(after, limit int) []Receipt {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearchFunc(r.receipts, after, func(x Receipt, n int) int { return cmp.Compare(x.Number, n) })
	if found {
		i++
	}
	return slices.Clone(r.receipts[i : i+max(0, min(limit, len(r.receipts)-i))])
}

// All returns every receipt in ascending order.
func (r *Receipts) All() []Receipt {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.receipts)
}

// Len returns how many receipts there are.
func (r *Receipts) Len() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.receipts)
}
