package objects

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// maxRetryAfter is the longest pause that Status reports: who asks for more, or for a date years ahead, is asked again after it.
const maxRetryAfter = time.Hour

// Status classifies the HTTP status code of a response that is no success, for services whose error codes say no more. header
// is the response's; nil is none. temporary says that the same request may succeed later, and retryAfter how long the service
// asked to be left alone: 0 when it did not say, one hour at most.
func Status(code int, header http.Header) (kind storagedriver.Kind, temporary bool, retryAfter time.Duration) {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return storagedriver.KindUnavailable, true, retryAfterOf(header, time.Now())
	}
	return permanent(code), false, 0
}

func permanent(code int) storagedriver.Kind {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return storagedriver.KindNotFound
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return storagedriver.KindPermission
	case http.StatusConflict, http.StatusPreconditionFailed:
		return storagedriver.KindConflict
	case http.StatusRequestedRangeNotSatisfiable:
		return storagedriver.KindInvalidOffset
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return storagedriver.KindLimit
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return storagedriver.KindUnsupported
	case http.StatusInsufficientStorage:
		return storagedriver.KindNoSpace
	case http.StatusBadRequest:
		return storagedriver.KindInvalidArgument
	}
	return storagedriver.KindUnknown
}

// retryAfterOf reads Retry-After, seconds or a date. A date is counted from the response's own Date, so that it does not matter
// whether the clocks agree; without one, from now.
func retryAfterOf(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil { // more than fits
			return maxRetryAfter
		}
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
