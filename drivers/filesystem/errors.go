package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/berth-dev/storagedriver"
)

// use is what a path was needed for: a path through a file, or one too long, is missing to one
// who looks, and impossible to one who stores.
type use bool

const (
	reading use = false
	writing use = true
)

// escapes is the text of package os for a symbolic link that leads out of a Root; it exports
// no value to compare with.
const escapes = "path escapes from parent"

// classify gives an error of package os its Kind.
func classify(err error, u use) error {
	var already *storagedriver.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrClosed):
		return storagedriver.NewError(storagedriver.KindClosed, "the driver was closed")
	case strings.Contains(err.Error(), escapes):
		return storagedriver.Errorf(storagedriver.KindPermission, "a symbolic link leads out of the root directory: %w", err)
	}
	out := storagedriver.Errorf(kindOf(err, u), "%w", err)
	out.Temporary = errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EAGAIN)
	return out
}

func kindOf(err error, u use) storagedriver.Kind {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return storagedriver.KindOf(err)
	}
	switch errno {
	case syscall.ENOENT:
		return storagedriver.KindNotFound
	case syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG:
		if u == reading {
			return storagedriver.KindNotFound
		}
		return storagedriver.KindInvalidPath
	case syscall.EEXIST, syscall.ENOTEMPTY, syscall.EINVAL, syscall.ELOOP:
		return storagedriver.KindInvalidPath
	case syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return storagedriver.KindPermission
	case syscall.ENOSPC, syscall.EDQUOT:
		return storagedriver.KindNoSpace
	case syscall.EFBIG, syscall.EMFILE, syscall.ENFILE:
		return storagedriver.KindLimit
	case syscall.ESTALE, syscall.EAGAIN:
		return storagedriver.KindUnavailable
	}
	return storagedriver.KindOf(err)
}

func notFound() error { return storagedriver.NewError(storagedriver.KindNotFound, "nothing is there") }

func isDirectory() error {
	return storagedriver.NewError(storagedriver.KindInvalidPath, "a directory is there")
}

// busy is the error of a call that others got in the way of; it may be repeated.
func busy(why string) error {
	err := storagedriver.NewError(storagedriver.KindUnavailable, why)
	err.Temporary = true
	return err
}

// removedAgain is the error of a call that began anew too often.
func removedAgain() error { return busy("the directory is removed again and again") }

// isMissing reports whether err says that nothing is at a name.
func isMissing(err error) bool {
	return storagedriver.KindOf(classify(err, reading)) == storagedriver.KindNotFound
}

// isNotEmpty reports whether err is that of a directory that is not empty.
func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

func conflict(why string) error { return storagedriver.NewError(storagedriver.KindConflict, why) }
