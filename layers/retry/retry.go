package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/berth-dev/storagedriver"
)

// retrier repeats calls.
type retrier struct {
	config Config
	budget *budget
}

// do calls f until it succeeds, fails for good, or is not to be repeated. f is given the number of
// the attempt, from 1.
func (r *retrier) do(ctx context.Context, f func(attempt int) error) error {
	for n := 1; ; n++ {
		err := f(n)
		if err == nil {
			r.budget.succeeded()
			return nil
		}
		var final *finalError
		if errors.As(err, &final) {
			return final.err
		}
		if !storagedriver.IsTemporary(err) || ctx.Err() != nil {
			return err
		}
		if n >= r.config.Attempts {
			return exhausted(err, fmt.Sprintf("after %d attempts", n))
		}
		pause, ok := r.pause(ctx, n, err)
		if !ok {
			return err
		}
		if !r.budget.take() {
			return exhausted(err, "not repeated: too many calls of this driver fail (layers.retry.budget)")
		}
		if ended := wait(ctx, pause); ended != nil {
			return storagedriver.Errorf(storagedriver.KindOf(ended), "while waiting to repeat what failed: %v", err)
		}
	}
}

// finalError is what f returns for an error that ends the attempts whatever it is.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

// pause returns how long to wait after attempt n failed with err, and whether that makes sense.
//
// The whole pause is random (full jitter), so that those who failed together do not come back
// together. What the backend has asked for is waited for in any case.
func (r *retrier) pause(ctx context.Context, n int, err error) (time.Duration, bool) {
	most := r.config.MaxWait
	if step := r.config.Wait << (n - 1); step > 0 && step < most {
		most = step
	}
	pause := time.Duration(rand.Int64N(int64(most) + 1))
	var e *storagedriver.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		if e.RetryAfter > r.config.MaxWait {
			return 0, false
		}
		pause = min(e.RetryAfter+pause, r.config.MaxWait)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return 0, false // the caller is better off with this error than with one that says less
	}
	return pause, true
}

func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exhaustedError is in the chain of an error that this layer repeats no more.
type exhaustedError struct {
	err  error
	note string
}

func (e *exhaustedError) Error() string { return e.err.Error() + " (" + e.note + ")" }

func (e *exhaustedError) Unwrap() error { return e.err }

// exhausted returns err with a note at its end, and everything else as it is.
func exhausted(err error, note string) error {
	e, ok := err.(*storagedriver.Error) //nolint:errorlint // one that is wrapped has a text of its own around it
	if !ok || e.Err == nil {
		return &exhaustedError{err, note}
	}
	out := *e
	out.Err = &exhaustedError{e.Err, note}
	return &out
}
