package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// GuestError says how a guest broke: a trap, a panic, an exit, or a reply that is not what
// docs/abi.md says. It is the cause of an error of storagedriver.KindGuest. Its texts come
// from the guest, escaped, bounded and without the values of secret parameters.
type GuestError struct {
	// Op is the operation that ran, as docs/abi.md names it.
	Op string
	// Reason is one line.
	Reason string
	// Stderr is the end of what the guest wrote to its standard error.
	Stderr string
	// Stack is the guest's stack, a function a line, innermost first; "" without a trap.
	Stack string

	words string
	err   error
}

// Error returns one line: the reason, and the last line that the guest wrote.
func (e *GuestError) Error() string {
	text := "the guest failed in " + e.Op + ": " + e.Reason
	if e.words != "" {
		text += " (its last words: " + e.words + ")"
	}
	return text
}

// Unwrap returns the cause, which may be nil.
func (e *GuestError) Unwrap() error { return e.err }

// guestFailure makes the error of a call that broke the guest.
func (in *instance) guestFailure(op abi.Op, err error) error {
	g := &GuestError{Op: op.String(), Reason: in.d.clean(err.Error(), 512), Stderr: in.d.cleanLines(lastLines(in.d.hideSecrets(string(in.stderr.b))), abi.MaxText),
		words: in.d.clean(in.stderr.lastWords(), 512), err: err}
	var trap *engine.Trap
	if errors.As(err, &trap) {
		g.Reason = in.d.clean(trap.Reason, 512)
		g.Stack = in.d.cleanLines(trap.Stack, abi.MaxText)
		g.err = nil // what the engine says holds the guest's text unescaped
		var host *storagedriver.Error
		if errors.As(trap.Err, &host) {
			g.err = host
		}
	}
	return &storagedriver.Error{Kind: storagedriver.KindGuest, Err: g}
}

// replyError makes an error of a guest's error reply.
func (in *instance) replyError(e *abi.Error) error {
	text := in.d.clean(e.Message, abi.MaxText)
	kind := storagedriver.Kind(e.Kind)
	if kind == storagedriver.KindDenied && in.denied != "" {
		text = in.denied // says what to do, whatever the guest made of it
	}
	if e.Status != 0 && !strings.Contains(text, strconv.Itoa(e.Status)) {
		text = strings.TrimSpace(fmt.Sprintf("%s (HTTP status %d)", text, e.Status))
	}
	after := time.Duration(min(e.After, int64(time.Hour/time.Millisecond))) * time.Millisecond
	out := &storagedriver.Error{Kind: kind, Temporary: e.Temporary, RetryAfter: after}
	if text != "" {
		out.Err = errors.New(text)
	}
	return out
}

// wireError makes the reply that tells a guest of err.
func wireError(err error) *abi.Error {
	e := &abi.Error{Kind: abi.Kind(storagedriver.KindOf(err)), Temporary: storagedriver.IsTemporary(err), Message: err.Error()}
	var classified *storagedriver.Error
	if errors.As(err, &classified) {
		e.After = classified.RetryAfter.Milliseconds()
		if classified.Err != nil {
			e.Message = classified.Err.Error() // the kind travels by itself
		}
	}
	e.Message = clip(strings.ToValidUTF8(e.Message, "?"), abi.MaxText) // it may quote the backend
	return e
}

// contextError is the error of an operation whose context ended.
func contextError(err error) error {
	kind := storagedriver.KindCanceled
	if errors.Is(err, context.DeadlineExceeded) {
		kind = storagedriver.KindDeadline
	}
	return &storagedriver.Error{Kind: kind, Err: err}
}

// clip cuts s to n bytes at a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n-3]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && len(s) > 0 {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// clean makes one printable line of at most n bytes of a guest's text.
func (d *driver) clean(s string, n int) string {
	s = clip(d.hideSecrets(s), 4*n) // in this order: half a secret is not found
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) >= 0 {
		q := strconv.Quote(s)
		s = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	}
	return clip(s, n)
}

// cleanLines is clean for several lines.
func (d *driver) cleanLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = d.clean(strings.TrimRight(l, "\r"), n)
	}
	return clip(strings.Join(lines, "\n"), n)
}
