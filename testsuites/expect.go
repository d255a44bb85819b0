package testsuites

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// standardError returns what errors.Is finds in an error of kind, or nil.
func standardError(kind storagedriver.Kind) error {
	switch kind {
	case storagedriver.KindNotFound:
		return fs.ErrNotExist
	case storagedriver.KindInvalidPath, storagedriver.KindInvalidOffset:
		return fs.ErrInvalid
	case storagedriver.KindUnsupported:
		return errors.ErrUnsupported
	case storagedriver.KindCanceled:
		return context.Canceled
	case storagedriver.KindDeadline:
		return context.DeadlineExceeded
	case storagedriver.KindClosed:
		return fs.ErrClosed
	}
	return nil
}

// wantKind wants err to be an *storagedriver.Error of one of the kinds, made by this driver.
func (e *env) wantKind(err error, kind storagedriver.Kind, what string, others ...storagedriver.Kind) {
	e.Helper()
	if err == nil {
		e.Fatalf("%s: want %q, got no error", what, kind)
	}
	got := storagedriver.KindOf(err)
	if got != kind && !slices.Contains(others, got) {
		e.Fatalf("%s: want %q, got %q: %v", what, kind, got, err)
	}
	if standard := standardError(got); standard != nil && !errors.Is(err, standard) {
		e.Fatalf("%s: want errors.Is(err, %q) of a %q, got false: %v", what, standard, got, err)
	}
	var typed *storagedriver.Error
	if !errors.As(err, &typed) {
		e.Fatalf("%s: want an *storagedriver.Error, got a %T: %v", what, err, err)
	}
	if typed.Driver != e.d.Name() {
		e.Fatalf("%s: want Driver %q in the error, got %q: %v", what, e.d.Name(), typed.Driver, err)
	}
}

// wantError is wantKind of an error that a method of the driver returned: it is itself an
// *storagedriver.Error, says the method and one of the paths, and so does its text.
func (e *env) wantError(err error, kind storagedriver.Kind, op string, paths ...string) {
	e.Helper()
	e.wantKind(err, kind, op+" "+paths[0])
	typed, ok := err.(*storagedriver.Error) //nolint:errorlint // the outermost error is what is tested
	if !ok {
		e.Fatalf("%s %s: want an *storagedriver.Error, not one wrapped in a %T: %v", op, paths[0], err, err)
	}
	if typed.Op != op {
		e.Fatalf("%s %s: want Op %q in the error, got %q: %v", op, paths[0], op, typed.Op, err)
	}
	if !slices.Contains(paths, typed.Path) {
		e.Fatalf("%s %s: want Path to be one of %q in the error, got %q: %v", op, paths[0], paths, typed.Path, err)
	}
	for _, part := range []string{op, typed.Path, e.d.Name()} {
		if !strings.Contains(err.Error(), part) {
			e.Fatalf("%s %s: want %q in the error's text, got %q", op, paths[0], part, err.Error())
		}
	}
}
