// Package observe tells of the calls of a Backend. The layers that only look are made of it.
package observe

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// Call is one call of a Backend, or the reading of an upload's tail.
type Call struct {
	// Operation is the method's name, or OperationTail.
	Operation string
	// Path is what the call is about: the source of a Copy or Move, the target of a Concat.
	// It is empty for the calls that name an upload by its token, which is not told.
	Path string
	// Dest is where a Copy or Move leads, and otherwise empty.
	Dest string
	// Offset is where a Read or a part begins, in bytes.
	Offset int64
	// Number is a part's.
	Number int
	// Append is OpenUpload's.
	Append bool
}

// OperationTail is the Operation of reading the tail that OpenUpload returned.
const OperationTail = "ReadTail"

// Result is how a call ended.
type Result struct {
	// Read is how many bytes of content the caller read, Written how many the backend did.
	Read, Written int64
	// Err is the error that the caller got, or nil.
	Err error
}

// Watch is what to tell of a call that began. A nil func is not called.
type Watch struct {
	// Answered is called once a body is there to be read, before the call has ended.
	Answered func()
	// Ended is called once: when the method has returned or, of a body, when it is closed
	// or could not be opened.
	Ended func(Result)
}

// Begin is called as a call begins, concurrently, and must not block. The context it returns
// is the one the backend gets: ctx or one made of it.
type Begin func(ctx context.Context, c Call) (context.Context, Watch)

// New returns b with its calls told to begin. Name, Capabilities and Close are none. Closing
// it closes b.
func New(b storagedriver.Backend, begin Begin) storagedriver.Backend {
	return &backend{next: b, begin: begin}
}

var _ storagedriver.Backend = (*backend)(nil)

type backend struct {
	next  storagedriver.Backend
	begin Begin
}

func (w Watch) answered() {
	if w.Answered != nil {
		w.Answered()
	}
}

func (w Watch) ended(r Result) {
	if w.Ended != nil {
		w.Ended(r)
	}
}

// Name implements storagedriver.Backend.
func (b *backend) Name() string { return b.next.Name() }

// Capabilities implements storagedriver.Backend.
func (b *backend) Capabilities() storagedriver.Capabilities { return b.next.Capabilities() }

// Close implements storagedriver.Backend.
func (b *backend) Close() error { return b.next.Close() }
