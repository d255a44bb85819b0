// Package token keeps tokens that a server gives out, and gets them from there.
package token

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// fetchTimeout bounds the fetching of one token, whatever the operations that wait for it would.
	fetchTimeout = 30 * time.Second
	// maxAhead is how long before its end a token is renewed; of one with less than 5 times that, it is a fifth of its life.
	maxAhead = 5 * time.Minute
	// maxLeeway is how long before its end a token is not sent any more: a request and the two clocks need some time. Of
	// short-lived tokens it is a tenth.
	maxLeeway = 10 * time.Second
	// pause is how long a failure is remembered, and refusedPause one of KindPermission: servers lock accounts that
	// have been refused often enough. A server that asks for more gets it, up to maxPause.
	pause        = time.Second
	refusedPause = 10 * time.Second
	maxPause     = time.Minute
	// young is the age up to which a token is kept although it was rejected.
	young = time.Minute
	// skew is how long after its end a token may still be good, by the clock of another machine, or since its end was
	// reported early.
	skew = 5 * time.Minute
	// kept is how many tokens are remembered beside the one in use.
	kept = 8
)

// Source has one token at a time and renews it ahead of its end, while requests go on with the one there
// is. At most one token is being fetched at any time. It may be used concurrently.
type Source[T comparable] struct {
	fetch func(ctx context.Context) (T, time.Time, error)

	mu      sync.Mutex
	current held[T]
	former  []held[T] // that may be good still
	flight  *flight[T]
	failure error
	retry   time.Time // when there may be another flight
	pace    time.Time // until when a flight waits before it asks: one was given up shortly before
}

// held is a token. The zero value is none.
type held[T comparable] struct {
	value        T
	got          time.Time
	renew, until time.Time // from when it is renewed, and not sent
	end          time.Time // zero: never
}

func (h *held[T]) usable(now time.Time) bool {
	return !h.got.IsZero() && (h.end.IsZero() || now.Before(h.until))
}

// remembered is true as long as the token may be good for a server.
func (h *held[T]) remembered(now time.Time) bool {
	return !h.got.IsZero() && (h.end.IsZero() || now.Before(h.end.Add(skew)))
}

// flight is one fetch.
type flight[T any] struct {
	done    chan struct{}
	value   T
	err     error
	waiting int
	cancel  context.CancelFunc
}

// NewSource returns a Source of what fetch returns: a token and when it ends, the zero time for never. fetch classifies
// its errors, and honours its context.
func NewSource[T comparable](fetch func(ctx context.Context) (T, time.Time, error)) *Source[T] {
	return &Source[T]{fetch: fetch}
}

// Get returns a token that is good, and fetches one if there is none. When ctx ends first it returns ctx's error.
func (s *Source[T]) Get(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.mu.Lock()
	now := time.Now()
	if s.current.usable(now) {
		if !s.current.end.IsZero() && !now.Before(s.current.renew) && s.flight == nil && !now.Before(s.retry) {
			s.start(ctx)
		}
		defer s.mu.Unlock()
		return s.current.value, nil
	}
	if s.flight == nil {
		if now.Before(s.retry) {
			defer s.mu.Unlock()
			return none, s.failure
		}
		s.start(ctx)
	}
	f := s.flight
	f.waiting++
	s.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		s.leave(f)
		return none, ctx.Err()
	}
	return f.value, f.err
}

// leave ends a flight that nobody waits for any more.
func (s *Source[T]) leave(f *flight[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.waiting--
	if f.waiting == 0 && s.flight == f && !s.current.usable(time.Now()) {
		s.flight = nil
		f.cancel()
		s.pace = time.Now().Add(pause) // or who begins and gives up again and again would have the server asked each time
	}
}

// start begins a flight, which belongs to nobody in particular. The caller has the lock.
func (s *Source[T]) start(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	f := &flight[T]{done: make(chan struct{}), cancel: cancel}
	s.flight = f
	wait := time.Until(s.pace)
	go func() {
		defer cancel()
		value, end, err := s.fetchAfter(ctx, wait)
		if err != nil && ctx.Err() == context.DeadlineExceeded {
			err = &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("a token was not given out within 30 seconds")}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(f.done)
		if err == nil {
			err = s.take(value, end)
		}
		if f.err = err; err == nil {
			f.value = value
		}
		if s.flight != f { // nobody wanted it any more
			return
		}
		s.flight = nil
		if err != nil {
			s.failure, s.retry = err, time.Now().Add(pauseAfter(err))
		}
	}()
}

// fetchAfter is fetch after a wait, which may be over.
func (s *Source[T]) fetchAfter(ctx context.Context, wait time.Duration) (T, time.Time, error) {
	if wait > 0 {
		over := time.NewTimer(wait)
		defer over.Stop()
		select {
		case <-over.C:
		case <-ctx.Done():
			var none T
			return none, time.Time{}, ctx.Err()
		}
	}
	return s.fetch(ctx)
}

func pauseAfter(err error) time.Duration {
	wait := pause
	if storagedriver.KindOf(err) == storagedriver.KindPermission {
		wait = refusedPause
	}
	var classified *storagedriver.Error
	if errors.As(err, &classified) {
		wait = max(wait, min(classified.RetryAfter, maxPause))
	}
	return wait
}

// take makes value the token in use. The caller has the lock.
func (s *Source[T]) take(value T, end time.Time) error {
	now := time.Now()
	h := held[T]{value: value, got: now, end: end}
	if !end.IsZero() {
		life := end.Sub(now)
		if life <= 0 {
			return storagedriver.NewError(storagedriver.KindUnavailable, "a token was given out that is at its end: look at the clocks of both machines")
		}
		h.renew, h.until = end.Add(-min(maxAhead, life/5)), end.Add(-min(maxLeeway, life/10))
	}
	if !s.current.got.IsZero() && s.current.value != value {
		s.retire()
	}
	s.current, s.failure, s.retry = h, nil, time.Time{}
	return nil
}

// All returns the token in use and those before it that may be good still, the newest first.
func (s *Source[T]) All() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	now := time.Now()
	add := func(h *held[T]) {
		if h.remembered(now) && !slices.Contains(out, h.value) {
			out = append(out, h.value)
		}
	}
	add(&s.current)
	for i := len(s.former) - 1; i >= 0; i-- {
		add(&s.former[i])
	}
	return out
}

// Reject gives up value if it is the token in use and not young: the next Get fetches another. It does nothing when so many
// tokens that may be good have been given up that the oldest would be forgotten: who provokes refusals must not have that.
func (s *Source[T]) Reject(value T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.current.got.IsZero() || s.current.value != value || now.Sub(s.current.got) < young {
		return
	}
	s.former = slices.DeleteFunc(s.former, func(h held[T]) bool { return !h.remembered(now) })
	if len(s.former) == kept {
		return
	}
	s.retire() // and not forgotten: who says that it is not good?
	s.current = held[T]{}
}

// retire keeps the token in use among the former ones. The caller has the lock.
func (s *Source[T]) retire() {
	s.former = append(s.former, s.current)
	if len(s.former) > kept {
		s.former = s.former[len(s.former)-kept:]
	}
}
