package adapt

import (
	"errors"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// distributionError returns err as the bare value that distribution's callers
// type-switch on. path and offset are what the failed call was about; the path in err,
// where there is one, is preferred. Kinds that distribution has no type for become
// driver.Error, whose Detail is err itself. nil stays nil.
func distributionError(name, path string, offset int64, err error) error {
	if err == nil {
		return nil
	}
	var e *storagedriver.Error
	if errors.As(err, &e) && e.Path != "" {
		path = e.Path
	}
	switch storagedriver.KindOf(err) {
	case storagedriver.KindNotFound:
		return driver.PathNotFoundError{Path: path, DriverName: name}
	case storagedriver.KindInvalidPath:
		return driver.InvalidPathError{Path: path, DriverName: name}
	case storagedriver.KindInvalidOffset:
		return driver.InvalidOffsetError{Path: path, Offset: offset, DriverName: name}
	case storagedriver.KindUnsupported:
		return driver.ErrUnsupportedMethod{DriverName: name}
	default:
		return driver.Error{DriverName: name, Detail: err}
	}
}

// storageError classifies an error of one of distribution's drivers and wraps it once.
// nil stays nil.
func storageError(op, name, path string, err error) error {
	if err == nil {
		return nil
	}
	if _, classified := err.(*storagedriver.Error); classified {
		return storagedriver.WrapError(op, name, path, err)
	}
	if kind, ok := bareKind(err); ok {
		err = &storagedriver.Error{Kind: kind, Err: err}
	} else if detail := detailOf(err); detail != nil {
		err = detail
		var e *storagedriver.Error
		if errors.As(err, &e) {
			err = &storagedriver.Error{Kind: e.Kind, Temporary: e.Temporary, RetryAfter: e.RetryAfter, Err: e.Err}
		}
	}
	return storagedriver.WrapError(op, name, path, err)
}

// bareKind returns the Kind that one of distribution's own error types stands for.
func bareKind(err error) (storagedriver.Kind, bool) {
	switch {
	case is[driver.PathNotFoundError](err):
		return storagedriver.KindNotFound, true
	case is[driver.InvalidPathError](err):
		return storagedriver.KindInvalidPath, true
	case is[driver.InvalidOffsetError](err):
		return storagedriver.KindInvalidOffset, true
	case is[driver.ErrUnsupportedMethod](err):
		return storagedriver.KindUnsupported, true
	}
	return storagedriver.KindUnknown, false
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// detailOf returns what distribution's envelopes, which have no Unwrap, hold; nil when err
// is no envelope. Of several errors it is the join, so that each can still be found.
func detailOf(err error) error {
	var one driver.Error
	if errors.As(err, &one) {
		if kind, ok := bareKind(one.Detail); ok {
			return &storagedriver.Error{Kind: kind, Err: one.Detail}
		}
		return one.Detail
	}
	var many driver.Errors
	if errors.As(err, &many) {
		return errors.Join(many.Errs...)
	}
	return nil
}
