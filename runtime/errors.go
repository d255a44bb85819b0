package runtime

import (
	"errors"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
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
	// Stack is the guest's stack, a function a line, innermost first; "" without a trap. Where host calls are transcribed (Config.Record) and the module has
	// debug information, the lines of source are below each function: "  at FILE:LINE".
	Stack string

	functions string // Stack without lines of source, which not every host of the module names
	words     string
	err       error
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
	g := &GuestError{Op: op.String(), Reason: in.d.secrets.Clean(err.Error(), 512), Stderr: in.d.secrets.CleanLines(lastLines(in.d.secrets.Hide(string(in.stderr.b))), abi.MaxText),
		words: in.d.secrets.Clean(in.stderr.lastWords(), 512), err: err}
	var trap *engine.Trap
	if errors.As(err, &trap) {
		g.Reason = in.d.secrets.Clean(trap.Reason, 512)
		g.functions = in.d.secrets.CleanLines(trap.Stack, abi.MaxText)
		if g.Stack = g.functions; trap.Sources != "" {
			g.Stack = in.d.secrets.CleanLines(trap.Sources, abi.MaxText)
		}
		g.err = nil // what the engine says holds the guest's text unescaped
		var host *storagedriver.Error
		if errors.As(trap.Err, &host) {
			g.err = host
		}
	}
	failure := &storagedriver.Error{Kind: storagedriver.KindGuest, Err: g}
	in.rec.failed(op, failure)
	return failure
}

// replyError makes an error of a guest's error reply.
func (in *instance) replyError(op abi.Op, e *abi.Error) error {
	text := in.d.secrets.Clean(e.Message, abi.MaxText)
	if storagedriver.Kind(e.Kind) == storagedriver.KindDenied && in.denied != "" {
		text = in.denied // says what to do, whatever the guest made of it
	}
	err := guest.ErrorOf(e, text)
	in.rec.failed(op, err)
	return err
}
