package runtime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
)

// made is a pool whose instances do nothing, and how many it has made.
func made(t *testing.T, limit int, takes time.Duration) (*pool, func() int) {
	var mu sync.Mutex
	n := 0
	p := &pool{slots: make(chan struct{}, limit), nested: make(chan struct{}, limit), maxIdle: limit}
	p.make = func(context.Context) (*instance, error) {
		<-time.After(takes)
		mu.Lock()
		defer mu.Unlock()
		n++
		return new(instance), nil
	}
	return p, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// callers run rounds of calls that last so long each, and report how long it all took.
func callers(t *testing.T, p *pool, n, rounds int, lasts time.Duration) time.Duration {
	begin := time.Now()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			for range rounds {
				in, err := p.get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				<-time.After(lasts)
				p.put(in)
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}

func TestShortCallsShareFewInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := made(t, 256, time.Millisecond)
		callers(t, p, 64, 100, 100*time.Microsecond)
		if n() > 2*eager {
			t.Errorf("64 callers of short calls made %d instances", n())
		}
	})
}

func TestLongCallsGetAnInstanceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := made(t, 256, time.Millisecond)
		const lasts = 10 * time.Second
		if took := callers(t, p, 64, 3, lasts); took > 3*lasts+time.Second {
			t.Errorf("64 callers of 3 calls of %v took %v", lasts, took)
		}
		if n() != 64 {
			t.Errorf("want 64 instances, got %d", n())
		}
	})
}

func TestInstancesThatTakeLongAreMadeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes, lasts = 10 * time.Second, time.Minute
		p, n := made(t, 256, takes)
		if took := callers(t, p, 64, 1, lasts); took > takes+lasts+64*2*mostPatience {
			t.Errorf("64 callers of a call of %v, with instances that take %v to make, took %v", lasts, takes, took)
		}
		if n() != 64 || p.makers != 0 {
			t.Errorf("want 64 instances and nobody who makes one, got %d and %d", n(), p.makers)
		}
	})
}

func TestAWaitingCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := made(t, 256, time.Hour) // nobody gets one by making it
		for range eager {
			p.busy++
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := p.get(ctx)
		wantDeadline(t, err)
		p.makers, p.began = 1, time.Now() // another call makes one
		ctx, cancel = context.WithTimeout(t.Context(), mostPatience-time.Millisecond)
		defer cancel()
		_, err = p.get(ctx)
		wantDeadline(t, err)
		if len(p.queue) != 0 || len(p.slots) != 0 || n() != 0 {
			t.Errorf("left: %d in the queue, %d slots, %d instances", len(p.queue), len(p.slots), n())
		}
	})
}

func wantDeadline(t *testing.T, err error) {
	t.Helper()
	if storagedriver.KindOf(err) != storagedriver.KindDeadline || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline, got %v", err)
	}
}

func TestAWaitingCallLearnsThatThePoolIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := made(t, 256, 0)
		p.busy = eager
		failed := make(chan error)
		go func() {
			_, err := p.get(t.Context())
			failed <- err
		}()
		synctest.Wait()
		p.close()
		if err := <-failed; err != errClosedDriver {
			t.Errorf("want %v, got %v", errClosedDriver, err)
		}
		if n() != 0 {
			t.Error("a closed pool made an instance")
		}
	})
}

func TestOneInstanceDoesNotFeedItself(t *testing.T) {
	single, other := &pool{slots: make(chan struct{}, 1)}, &pool{slots: make(chan struct{}, 1), nested: make(chan struct{}, 1)}
	ctx := other.feed(single.feed(t.Context()))
	if _, err := single.lane(ctx); err == nil {
		t.Error("it waits for itself")
	}
	if lane, err := other.lane(ctx); err != nil || lane != other.nested {
		t.Error("a nested call takes the slot of a call that may wait for it", err)
	}
	if lane, err := single.lane(t.Context()); err != nil || lane != single.slots {
		t.Error(err)
	}
	if lane, err := single.lane(other.feed(t.Context())); err != nil || lane != single.slots {
		t.Error(err)
	}
}
