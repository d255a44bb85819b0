package webdav

import (
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func notFound() error { return &berth.Error{Kind: berth.KindNotFound, Msg: "nothing is there"} }

func isNotFound(err error) bool { return err != nil && berth.KindOf(err) == berth.KindNotFound }

func fileInTheWay(path string) error {
	return berth.NewError(berth.KindInvalidPath, "the path leads through the file at ", path)
}

func directoryThere() error { return berth.NewError(berth.KindInvalidPath, "a directory is there") }

// isDone reports a status that says the request was carried out.
func isDone(status int) bool { return status == 200 || status == 201 || status == 204 }

// isAmbiguous reports a status that servers give for a missing parent, for a file in the way, for a
// collection where a file should be, and for a refusal alike.
func isAmbiguous(status int) bool {
	return status == 400 || status == 403 || status == 404 || status == 405 || status == 409
}

// statusError classifies a status that needs no further question.
func statusError(method string, resp *berth.Response) error {
	e := &berth.Error{Status: resp.Status, Msg: method + " was answered with status " + strconv.Itoa(resp.Status)}
	switch status := resp.Status; {
	case status == 401, status == 403, status == 407:
		e.Kind = berth.KindPermission
	case status == 404, status == 410:
		e.Kind = berth.KindNotFound
	case status == 409, status == 412:
		e.Kind = berth.KindConflict
	case status == 405, status == 501:
		e.Kind = berth.KindUnsupported
		e.Msg += "; is the endpoint a WebDAV collection?"
	case status == 413, status == 414:
		e.Kind = berth.KindLimit
	case status == 416:
		e.Kind = berth.KindInvalidOffset
	case status == 423:
		e.Kind, e.Temporary = berth.KindUnavailable, true
		e.Msg = method + " was refused because the resource is locked"
	case status == 507:
		e.Kind = berth.KindNoSpace
	case status == 408, status == 425, status == 429, status >= 500:
		e.Kind, e.Temporary = berth.KindUnavailable, true
		e.RetryAfter = retryAfter(resp.Header("retry-after"))
	case status >= 300 && status < 400:
		e.Kind = berth.KindInvalidArgument
		e.Msg += " to " + withoutQuery(resp.Header("location")) + "; the endpoint must be the address that needs no redirect"
	default:
		e.Kind = berth.KindCorrupt
	}
	return e
}

// retryAfter reads the seconds of a Retry-After; a date is not worth its parsing.
func retryAfter(v string) time.Duration {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}

// withoutQuery leaves out what may be a secret.
func withoutQuery(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		return url[:i]
	}
	return url
}
