package storagedriver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Kind classifies an error. The numbers are frozen, append-only, and equal those of the
// guest ABI.
type Kind uint8

// The kinds.
const (
	// KindUnknown is an error that nobody classified.
	KindUnknown Kind = 0
	// KindNotFound: nothing is at the path. Is fs.ErrNotExist.
	KindNotFound Kind = 1
	// KindInvalidPath: the path is malformed, or impossible on this backend. Is fs.ErrInvalid.
	KindInvalidPath Kind = 2
	// KindInvalidOffset: the offset is negative or past the end. Is fs.ErrInvalid.
	KindInvalidOffset Kind = 3
	// KindUnsupported: the driver does not do this. Is errors.ErrUnsupported.
	KindUnsupported Kind = 4
	// KindConflict: another writer got there first.
	KindConflict Kind = 5
	// KindPermission: the backend, or the operator's policy there, refused. Is fs.ErrPermission.
	KindPermission Kind = 6
	// KindCanceled: the caller's context was cancelled. Is context.Canceled.
	KindCanceled Kind = 7
	// KindDeadline: a deadline passed. Is context.DeadlineExceeded.
	KindDeadline Kind = 8
	// KindInvalidArgument: a parameter or an argument is unknown, missing or out of
	// range. Is fs.ErrInvalid.
	KindInvalidArgument Kind = 9
	// KindCorrupt: data are not what was promised: a length, a digest, an answer that
	// cannot be understood.
	KindCorrupt Kind = 10
	// KindLimit: a limit of ours was reached; the message names it.
	KindLimit Kind = 11
	// KindUnavailable: the backend cannot be reached or says it is overloaded.
	KindUnavailable Kind = 12
	// KindDenied: the sandbox's policy refused. Is fs.ErrPermission.
	KindDenied Kind = 13
	// KindNoSpace: the backend is full or over quota.
	KindNoSpace Kind = 14
	// KindGuest: a guest trapped, panicked or broke the ABI.
	KindGuest Kind = 15
	// KindClosed: the driver, reader or writer was closed. Is fs.ErrClosed.
	KindClosed Kind = 16
)

var kindNames = [...]string{
	"unknown error", "not found", "invalid path", "invalid offset", "unsupported", "conflict", "permission denied",
	"canceled", "deadline exceeded", "invalid argument", "corrupt", "limit reached", "unavailable", "denied by policy",
	"no space", "guest failure", "closed",
}

// NumKinds is one more than the highest Kind.
const NumKinds = Kind(len(kindNames))

// String names the kind.
func (k Kind) String() string {
	if k < NumKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is every error of a StorageDriver. The gate (layers.Complete) fills in Op, Driver and
// Path once; a Backend sets Kind, Temporary, RetryAfter and Err. Texts never hold secrets.
type Error struct {
	// Op is the StorageDriver method, e.g. "Stat".
	Op string
	// Driver is the driver's name.
	Driver string
	// Path is what the operation was about.
	Path string
	// Kind classifies the error.
	Kind Kind
	// Temporary reports that the same call may succeed later.
	Temporary bool
	// RetryAfter is how long the backend asked to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Err is the cause, or nil.
	Err error
}

// Error returns one line: driver, operation, path, cause.
func (e *Error) Error() string {
	var parts []string
	if e.Driver != "" {
		parts = append(parts, e.Driver)
	}
	switch {
	case e.Op != "" && e.Path != "":
		parts = append(parts, e.Op+" "+e.Path)
	case e.Op != "" || e.Path != "":
		parts = append(parts, e.Op+e.Path)
	}
	if e.Kind != KindUnknown || e.Err == nil {
		parts = append(parts, e.Kind.String())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is lets errors.Is find the standard library's errors by Kind.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == KindNotFound
	case fs.ErrInvalid:
		return e.Kind == KindInvalidPath || e.Kind == KindInvalidOffset || e.Kind == KindInvalidArgument
	case fs.ErrPermission:
		return e.Kind == KindPermission || e.Kind == KindDenied
	case fs.ErrClosed:
		return e.Kind == KindClosed
	case context.Canceled:
		return e.Kind == KindCanceled
	case context.DeadlineExceeded:
		return e.Kind == KindDeadline
	case errors.ErrUnsupported:
		return e.Kind == KindUnsupported
	}
	return false
}

// NewError returns an *Error of kind whose cause reads text.
func NewError(kind Kind, text string) *Error { return &Error{Kind: kind, Err: errors.New(text)} }

// Errorf is NewError with a format; %w works.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// KindOf returns the Kind of err: that of the first *Error in its chain that has one, else
// that of the standard errors it wraps, else KindUnknown. Of nil it is KindUnknown.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		if e.Kind != KindUnknown || e.Err == nil {
			return e.Kind
		}
		return KindOf(e.Err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return KindNotFound
	case errors.Is(err, fs.ErrPermission):
		return KindPermission
	case errors.Is(err, fs.ErrClosed):
		return KindClosed
	case errors.Is(err, fs.ErrInvalid):
		return KindInvalidArgument
	case errors.Is(err, context.Canceled):
		return KindCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return KindDeadline
	case errors.Is(err, errors.ErrUnsupported):
		return KindUnsupported
	}
	return KindUnknown
}

// IsTemporary reports whether the call that gave err may succeed later.
func IsTemporary(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Temporary
}

// WrapError is what the gate does, once, to every error that leaves it: it returns an *Error
// with op, driver and path filled in and the rest taken from err. nil stays nil.
func WrapError(op, driver, path string, err error) error {
	if err == nil {
		return nil
	}
	out := &Error{Op: op, Driver: driver, Path: path, Kind: KindOf(err), Err: err}
	var e *Error
	if errors.As(err, &e) {
		out.Temporary, out.RetryAfter = e.Temporary, e.RetryAfter
		if err == error(e) && e.Op == "" && e.Driver == "" && e.Path == "" {
			out.Err = e.Err // do not say the kind twice
		}
	}
	return out
}
