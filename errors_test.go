package storagedriver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// standard is the errors of the standard library that kinds stand for.
var standard = []error{
	fs.ErrNotExist, fs.ErrInvalid, fs.ErrPermission, fs.ErrClosed, context.Canceled, context.DeadlineExceeded, errors.ErrUnsupported,
}

func TestKindsAreFrozen(t *testing.T) {
	for number, c := range []struct {
		kind storagedriver.Kind
		text string
		is   error
	}{
		{storagedriver.KindUnknown, "unknown error", nil},
		{storagedriver.KindNotFound, "not found", fs.ErrNotExist},
		{storagedriver.KindInvalidPath, "invalid path", fs.ErrInvalid},
		{storagedriver.KindInvalidOffset, "invalid offset", fs.ErrInvalid},
		{storagedriver.KindUnsupported, "unsupported", errors.ErrUnsupported},
		{storagedriver.KindConflict, "conflict", nil},
		{storagedriver.KindPermission, "permission denied", fs.ErrPermission},
		{storagedriver.KindCanceled, "canceled", context.Canceled},
		{storagedriver.KindDeadline, "deadline exceeded", context.DeadlineExceeded},
		{storagedriver.KindInvalidArgument, "invalid argument", fs.ErrInvalid},
		{storagedriver.KindCorrupt, "corrupt", nil},
		{storagedriver.KindLimit, "limit reached", nil},
		{storagedriver.KindUnavailable, "unavailable", nil},
		{storagedriver.KindDenied, "denied by policy", fs.ErrPermission},
		{storagedriver.KindNoSpace, "no space", nil},
		{storagedriver.KindGuest, "guest failure", nil},
		{storagedriver.KindClosed, "closed", fs.ErrClosed},
	} {
		if int(c.kind) != number || c.kind.String() != c.text {
			t.Errorf("kind %d is %d, %q; want %q", number, c.kind, c.kind, c.text)
		}
		err := fmt.Errorf("wrapped: %w", storagedriver.NewError(c.kind, "why"))
		for _, target := range standard {
			if got := errors.Is(err, target); got != (target == c.is) {
				t.Errorf("errors.Is(%v, %v): %v", c.kind, target, got)
			}
		}
		if got := storagedriver.KindOf(err); got != c.kind {
			t.Errorf("KindOf an error of %v: %v", c.kind, got)
		}
	}
	if storagedriver.NumKinds != 17 || storagedriver.NumKinds.String() != "kind 17" {
		t.Errorf("NumKinds is %d, %q", storagedriver.NumKinds, storagedriver.NumKinds)
	}
}

func TestKindOf(t *testing.T) {
	conflict := storagedriver.NewError(storagedriver.KindConflict, "x")
	for _, c := range []struct {
		err  error
		want storagedriver.Kind
	}{
		{nil, storagedriver.KindUnknown},
		{io.EOF, storagedriver.KindUnknown},
		{fs.ErrNotExist, storagedriver.KindNotFound},
		{&fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist}, storagedriver.KindNotFound},
		{fs.ErrPermission, storagedriver.KindPermission},
		{fs.ErrInvalid, storagedriver.KindInvalidArgument},
		{fs.ErrClosed, storagedriver.KindClosed},
		{context.Canceled, storagedriver.KindCanceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), storagedriver.KindDeadline},
		{errors.ErrUnsupported, storagedriver.KindUnsupported},
		{fmt.Errorf("x: %w", conflict), storagedriver.KindConflict},
		{errors.Join(io.EOF, conflict), storagedriver.KindConflict},
		{&storagedriver.Error{}, storagedriver.KindUnknown},
		{&storagedriver.Error{Err: context.Canceled}, storagedriver.KindCanceled},
		{&storagedriver.Error{Err: &storagedriver.Error{Err: conflict}}, storagedriver.KindConflict},
		{storagedriver.Errorf(storagedriver.KindCorrupt, "%w", context.Canceled), storagedriver.KindCorrupt},
	} {
		if got := storagedriver.KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v): %v, want %v", c.err, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	for _, c := range []struct {
		err  storagedriver.Error
		want string
	}{
		{storagedriver.Error{}, "unknown error"},
		{storagedriver.Error{Err: cause}, "cause"},
		{storagedriver.Error{Kind: storagedriver.KindConflict}, "conflict"},
		{storagedriver.Error{Op: "Stat", Driver: "s3", Path: "/a", Kind: storagedriver.KindNotFound, Err: cause}, "s3: Stat /a: not found: cause"},
		{storagedriver.Error{Op: "Close", Driver: "s3", Err: cause}, "s3: Close: cause"},
		{storagedriver.Error{Path: "/a", Kind: storagedriver.KindNotFound}, "/a: not found"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestWrapError(t *testing.T) {
	if err := storagedriver.WrapError("Stat", "x", "/a", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	busy := storagedriver.NewError(storagedriver.KindUnavailable, "busy")
	busy.Temporary, busy.RetryAfter = true, time.Second
	for _, c := range []struct {
		err  error
		want string
	}{
		{busy, "x: Stat /a: unavailable: busy"},
		{fmt.Errorf("asking: %w", busy), "x: Stat /a: unavailable: asking: unavailable: busy"},
		{storagedriver.WrapError("Stat", "inner", "/b", busy), "x: Stat /a: unavailable: inner: Stat /b: unavailable: busy"},
	} {
		err := storagedriver.WrapError("Stat", "x", "/a", c.err)
		var e *storagedriver.Error
		if !errors.As(err, &e) || e.Op != "Stat" || e.Driver != "x" || e.Path != "/a" || e.Kind != storagedriver.KindUnavailable ||
			!e.Temporary || e.RetryAfter != time.Second || !storagedriver.IsTemporary(err) || err.Error() != c.want {
			t.Errorf("got %#v (%v), want %q", err, err, c.want)
		}
	}
	if busy.Op != "" {
		t.Error("WrapError changed what it was given")
	}
	err := storagedriver.WrapError("Read", "x", "/a", fmt.Errorf("reading: %w", context.Canceled))
	if !errors.Is(err, context.Canceled) || storagedriver.KindOf(err) != storagedriver.KindCanceled || storagedriver.IsTemporary(err) {
		t.Errorf("a context's error became %v", err)
	}
	if err := storagedriver.WrapError("Read", "x", "/a", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "unknown") {
		t.Errorf("an error without a kind became %v", err)
	}
}

func TestUnimplemented(t *testing.T) {
	var u storagedriver.Unimplemented
	ctx := t.Context()
	_, treeErr := u.ListTree(ctx, "/", "", "", 1)
	_, redirectErr := u.Redirect(ctx, "/a", storagedriver.RedirectOptions{})
	_, openErr := u.OpenUpload(ctx, "/a", false)
	_, partErr := u.PutPart(ctx, "", storagedriver.Part{})
	for op, err := range map[string]error{
		"DeleteTree": u.DeleteTree(ctx, "/a"), "Copy": u.Copy(ctx, "/a", "/b"), "Move": u.Move(ctx, "/a", "/b"),
		"Concat": u.Concat(ctx, "/a", nil), "ListTree": treeErr, "Redirect": redirectErr, "OpenUpload": openErr, "PutPart": partErr,
		"SuspendUpload": u.SuspendUpload(ctx, "", nil, nil), "CommitUpload": u.CommitUpload(ctx, "", nil, nil),
		"CancelUpload": u.CancelUpload(ctx, ""), "AbortUploads": u.AbortUploads(ctx, "/a"),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), op) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if err := u.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
