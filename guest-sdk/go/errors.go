package berth

import "time"

// Error is how a driver classifies a failure. Any other error counts as KindUnknown.
type Error struct {
	// Kind is one of the Kind constants.
	Kind Kind
	// Temporary says that the same call may succeed later.
	Temporary bool
	// RetryAfter is how long the backend asked to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Status is the HTTP status behind it, 0 when there is none.
	Status int
	// Msg is one line. It never holds secrets.
	Msg string
}

// Error returns the kind and the message.
func (e *Error) Error() string {
	if e.Msg == "" {
		return e.Kind.String()
	}
	return e.Kind.String() + ": " + e.Msg
}

// NewError returns an *Error whose message is the texts, joined. It formats nothing: package
// fmt works by reflection, which a guest need not carry.
func NewError(kind Kind, text ...string) *Error {
	msg := ""
	for _, t := range text {
		msg += t
	}
	return &Error{Kind: kind, Msg: msg}
}

// KindOf returns the kind of the first *Error in err's chain, else KindUnknown.
func KindOf(err error) Kind {
	if e := asError(err); e != nil {
		return e.Kind
	}
	return KindUnknown
}

// IsTemporary reports whether the first *Error in err's chain is temporary.
func IsTemporary(err error) bool {
	e := asError(err)
	return e != nil && e.Temporary
}

// asError is errors.As without reflection.
func asError(err error) *Error {
	for err != nil {
		if e, ok := err.(*Error); ok {
			return e
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return nil
		}
		err = u.Unwrap()
	}
	return nil
}

// String names the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[KindUnknown]
}

var kindNames = [...]string{
	"unknown error", "not found", "invalid path", "invalid offset", "unsupported", "conflict", "permission denied",
	"canceled", "deadline exceeded", "invalid argument", "corrupt", "limit reached", "unavailable", "denied by policy",
	"no space", "guest failure", "closed",
}
