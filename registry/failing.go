package registry

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// defaultRetryAfter is what a client is told when the backend did not say how long it wants to be left alone. The retry layer
// has waited longer already, so that nothing is gained by more.
const defaultRetryAfter = time.Second

// answering is the ResponseWriter of one request. Where the handlers give up with a status of 500 or more it answers what the
// storage's failure calls for: distribution has one status for all of them, and clients go by the status whether to come again. It
// holds the status of a blob back until the first byte is there, which is when distribution opens it. It is used by
// one goroutine.
type answering struct {
	http.ResponseWriter
	request *http.Request
	log     *slog.Logger

	held     int  // a status that has not been sent; 0 for none
	begun    bool // a status has been sent
	replaced bool // by ours: what the handlers write is dropped
}

// WriteHeader implements http.ResponseWriter.
func (a *answering) WriteHeader(status int) {
	switch {
	case a.replaced || a.begun || a.held != 0:
	case status < http.StatusOK:
		a.ResponseWriter.WriteHeader(status)
	case status >= http.StatusInternalServerError && a.replace(), a.lost(status):
	case a.request.Method == http.MethodGet && (status == http.StatusOK || status == http.StatusPartialContent):
		a.held = status
	default:
		a.send(status)
	}
}

// lost answers instead of the handlers if status says that bytes were accepted which are lost. Where another request has gone on with the upload,
// the status is that of a wrong offset, and the code, unlike that of one, has clients begin the blob anew.
func (a *answering) lost(status int) bool {
	if a.request.Method != http.MethodPatch || status != http.StatusAccepted {
		return false
	}
	err := adapt.Lost(a.request.Context())
	conflict := storagedriver.KindOf(err) == storagedriver.KindConflict
	if err == nil || !conflict && a.replace() {
		return err != nil
	}
	a.log.Warn("what a request brought for an upload could not be kept", "method", a.request.Method, "path", a.request.URL.Path, "error", oneLine(err.Error()))
	if conflict {
		a.answer(http.StatusRequestedRangeNotSatisfiable, errcode.ErrorCodeBlobUploadInvalid.WithMessage("another request has gone on with this upload: begin another"))
	} else {
		a.answer(http.StatusInternalServerError, errcode.ErrorCodeUnknown.WithMessage("the content of the request could not be kept"))
	}
	return true
}

func (a *answering) send(status int) {
	a.held, a.begun = 0, true
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answering) Write(p []byte) (int, error) {
	if a.replaced {
		return len(p), nil
	}
	if a.held != 0 {
		a.send(a.held)
	}
	a.begun = true
	return a.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (a *answering) Flush() {
	if a.replaced {
		return
	}
	if a.held != 0 {
		a.send(a.held)
	}
	// What cannot be flushed is sent at the end.
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// finish is called when the handler has returned. What was promised and not begun is answered with what went wrong.
func (a *answering) finish() {
	if a.held == 0 {
		return
	}
	if length := a.Header().Get("Content-Length"); length == "" || length == "0" {
		a.send(a.held)
		return
	}
	if !a.replace() {
		a.answer(http.StatusInternalServerError, errcode.ErrorCodeUnknown.WithMessage("the content cannot be read"))
	}
}

// replace answers instead of the handlers, if the storage's failure says more.
func (a *answering) replace() bool {
	failure := adapt.Failure(a.request.Context())
	if failure == nil {
		return false
	}
	status, message := answerTo(failure)
	log := a.log.With("method", a.request.Method, "path", a.request.URL.Path, "status", status, "error", oneLine(failure.Error()))
	if adapt.Passing(failure) {
		a.Header().Set("Retry-After", strconv.FormatInt(seconds(failure.RetryAfter), 10))
		log.Warn("the storage failed in a request, which may be repeated")
	} else {
		log.Error("the storage refused what a request needs: it is for the operator to see to")
	}
	a.answer(status, message)
	return true
}

// answer sends the whole answer.
func (a *answering) answer(status int, message errcode.Error) {
	h := a.Header()
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Content-Length", "Content-Range", "Docker-Content-Digest", "Etag", "Last-Modified", "Link", "Location", "Range",
	} {
		h.Del(name) // of the answer that is not given
	}
	h.Set("Content-Type", "application/json")
	a.held, a.replaced = 0, true
	a.ResponseWriter.WriteHeader(status)
	// The client that cannot be answered is gone.
	_ = json.NewEncoder(a.ResponseWriter).Encode(errcode.Errors{message})
}

// answerTo returns what clients are told of a failure: nothing of the backend.
func answerTo(failure *storagedriver.Error) (status int, message errcode.Error) {
	switch {
	case adapt.Passing(failure) && failure.Kind == storagedriver.KindLimit:
		return http.StatusTooManyRequests, errcode.ErrorCodeTooManyRequests.WithMessage("the registry does as much as it may at a time: try again later")
	case adapt.Passing(failure):
		return http.StatusServiceUnavailable, errcode.ErrorCodeUnavailable.WithMessage("the registry's storage cannot do this now: try again later")
	case failure.Kind == storagedriver.KindNoSpace:
		return http.StatusInsufficientStorage, errcode.ErrorCodeDenied.WithMessage("the registry's storage is full")
	}
	return http.StatusInternalServerError, errcode.ErrorCodeUnknown.WithMessage("the registry's storage refuses this to the registry")
}

// seconds is how Retry-After says d: no less, and at least one.
func seconds(d time.Duration) int64 {
	if d <= 0 {
		d = defaultRetryAfter
	}
	return int64((d + time.Second - 1) / time.Second)
}
