package main

import (
	"context"
	"errors"
	"net"

	"github.com/berth-dev/storagedriver"
)

// The exit statuses. They are documented in docs/cli.md and never change their meaning.
const (
	statusOK          = 0
	statusFailure     = 1
	statusUsage       = 2
	statusNotFound    = 4
	statusTemporary   = 5
	statusDenied      = 6
	statusConformance = 7
	statusIntegrity   = 8
	statusInterrupted = 130
)

const statusHelp = `Exit statuses: 0 ok; 1 failure; 2 usage: a wrong argument, parameter or configuration; 4 not found;
5 temporary, worth retrying; 6 refused by policy; 7 a driver does not conform; 8 data or a module are not
what was promised; 130 interrupted. A server that a signal stops in good order exits with 0.`

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// conformanceError is a driver that failed cases of the suite.
type conformanceError struct{ error }

func (e conformanceError) Unwrap() error { return e.error }

// statusOf is the one place where errors become exit statuses. ctx is the process's: what
// fails after a signal was interrupted.
func statusOf(ctx context.Context, err error) int {
	var (
		usage       usageError
		conformance conformanceError
		network     *net.OpError
	)
	kind := storagedriver.KindOf(err)
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &usage):
		return statusUsage
	case ctx.Err() != nil:
		return statusInterrupted
	case errors.As(err, &conformance):
		return statusConformance
	case storagedriver.IsTemporary(err):
		return statusTemporary
	}
	switch kind {
	case storagedriver.KindNotFound:
		return statusNotFound
	case storagedriver.KindInvalidArgument:
		return statusUsage
	case storagedriver.KindUnavailable, storagedriver.KindDeadline:
		return statusTemporary
	case storagedriver.KindPermission, storagedriver.KindDenied:
		return statusDenied
	case storagedriver.KindCorrupt:
		return statusIntegrity
	case storagedriver.KindCanceled:
		return statusInterrupted
	case storagedriver.KindUnknown:
		if errors.As(err, &network) && network.Op == "dial" {
			return statusTemporary
		}
	}
	return statusFailure
}
