package adapt

import (
	"context"
	"errors"
	"io"

	"github.com/berth-dev/storagedriver"
)

// Failure returns why the storage failed in a request whose context comes from [WithRequest], which its handlers forget: to
// them every error that is no missing path is the same. It is the last error that is [Passing]; without one the last KindNoSpace,
// then the last KindPermission or KindDenied. It is nil when there was none of these. What a handler went on
// after is among them: Failure explains a request that has failed, and does not say that it did. It may be called
// concurrently with the request.
func Failure(ctx context.Context) *storagedriver.Error {
	r := requestOf(ctx)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// Lost returns why an upload's writer could not be suspended in the request of ctx, so that bytes which it accepted are lost; nil when none
// are. KindConflict is that another writer has gone on with the upload. distribution does not look at that: it says 202 to the PATCH, whose
// client then goes on behind what is gone.
func Lost(ctx context.Context) error {
	r := requestOf(ctx)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// Passing reports whether the request that an error of the storage made fail may succeed later.
func Passing(err error) bool {
	switch storagedriver.KindOf(err) {
	case storagedriver.KindUnavailable, storagedriver.KindDeadline:
		return true
	}
	return storagedriver.IsTemporary(err)
}

// rank orders what Failure may return; 0 is what it does not.
func rank(err error) int {
	if err == nil {
		return 0
	}
	if Passing(err) {
		return 3
	}
	switch storagedriver.KindOf(err) {
	case storagedriver.KindNoSpace:
		return 2
	case storagedriver.KindPermission, storagedriver.KindDenied:
		return 1
	}
	return 0
}

// failed remembers err, which may be nil.
func (r *request) failed(err error) {
	weight := rank(err)
	if r == nil || weight == 0 {
		return
	}
	var e *storagedriver.Error
	if !errors.As(err, &e) {
		e = &storagedriver.Error{Kind: storagedriver.KindOf(err), Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil || weight >= rank(r.failure) {
		r.failure = e
	}
}

// suspended is told what became of a writer that was closed.
func (r *request) suspended(err error) {
	if r == nil || err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = err
}

// body is one that a request reads.
type body struct {
	io.ReadCloser
	request *request
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.Reader has it
		b.request.failed(err)
	}
	return n, err
}
