package davfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"syscall"
)

// errIncomplete is what Close of an upload answers when the body did not end as promised.
var errIncomplete = errors.New("the body ended early")

type exchangeKey struct{}

// exchange is one request, as its file system calls see it. It is used by the
// request's goroutine only.
type exchange struct {
	method   string
	expected int64 // Content-Length; -1 when the client did not say
	body     io.ReadCloser
	received int64
	ended    bool  // the body came to a clean end
	source   int64 // size of the file that a COPY is reading
	status   int   // what to answer instead of the library's failure; 0: nothing
	failed   bool  // a directory could not be read
}

// exchangeOf returns the request's exchange; calls outside a tracked request get one
// that allows nothing.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// Read implements io.Reader for the request's body.
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	x.received += int64(n)
	// net/http answers io.ErrUnexpectedEOF, not io.EOF, when a client goes away.
	x.ended = err == io.EOF
	return n, err
}

// Close implements io.Closer for the request's body.
func (x *exchange) Close() error { return x.body.Close() }

// complete reports whether a file of so many bytes is all that the client sent or, for a COPY,
// all of the source: a file here is replaced, never changed, so its size is constant.
func (x *exchange) complete(written int64) bool {
	if x.method == "COPY" {
		return written == x.source
	}
	return x.ended && written == x.received && (x.expected < 0 || written == x.expected)
}

// fail notes the status for err where the library's choice would mislead the client,
// and returns err.
func (x *exchange) fail(err error) error {
	switch {
	case err == nil, x.status != 0:
	case errors.Is(err, errIncomplete) && x.method == "COPY":
		x.status = http.StatusInternalServerError
	case errors.Is(err, errIncomplete):
		x.status = http.StatusBadRequest
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		x.status = http.StatusInsufficientStorage
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		x.status = http.StatusServiceUnavailable
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		x.status = http.StatusForbidden
	case errors.Is(err, syscall.ENAMETOOLONG):
		x.status = http.StatusRequestURITooLong
	case errors.Is(err, syscall.EIO):
		x.status = http.StatusInternalServerError
	}
	return err
}

// statusWriter replaces the library's status of a failure by the exchange's.
type statusWriter struct {
	http.ResponseWriter
	exchange *exchange
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 400 && w.exchange.status != 0 {
		status = w.exchange.status
	}
	w.ResponseWriter.WriteHeader(status)
}
