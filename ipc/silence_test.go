//go:build unix

package ipc

import (
	"context"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	// Answers stat when it is told that nobody wants the answer, and not before.
	childModes["late"] = byHand(func(c *handmade) {
		for {
			call := c.until(abi.OpStat)
			for f := c.next(); f.kind != frameCancel; f = c.next() {
			}
			c.reply(call, &abi.Entry{Size: 1})
		}
	})
	// Reads nothing once it is open.
	childModes["deaf"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpOpen), &abi.OpenReply{Caps: abi.AllAbilities})
		block()
	})
	// Sends nothing and reads all.
	childModes["mute"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpOpen), &abi.OpenReply{Caps: abi.AllAbilities})
		for {
			c.next()
		}
	})
	// Leaves the first stat unanswered, and answers the others.
	childModes["forgetful"] = byHand(func(c *handmade) {
		c.until(abi.OpStat)
		c.serve()
	})
}

func TestACallThatIsNeverAnsweredEndsWithItsContext(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, b *backend) error{
		"stat": statIt, "put": putIt, "list": listIt, "read": readIt, "upload_open": openUploadOf,
		"a large put": func(ctx context.Context, b *backend) error {
			return b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, 4*window)))
		},
	} {
		for _, mode := range []string{"mute", "deaf"} {
			if mode == "deaf" && name != "stat" && name != "a large put" {
				continue
			}
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				b := driverIn(t, inMode(mode), nil)
				r := b.running
				within(t, 10*time.Second, "the call", func() {
					wantFault(t, call(lasting(t, 100*time.Millisecond), b), storagedriver.KindDeadline, "deadline exceeded")
				})
				gone(t, r.p.pid()) // after CancelTimeout
				wantLost(t, r.explain(t.Context(), errLost), "the driver's process was killed: ", " was cancelled and is not over after 200ms")
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				wantFault(t, call(ctx, b), storagedriver.KindCanceled, "canceled")
				until(t, "the process was started again", func() bool { return b.pid() != r.p.pid() })
			})
		}
	}
}

// Others do not suffer from a call that is never answered until the process is killed for it; those under way then are told that they may be repeated.
func TestTheCallsBesideOneThatIsNeverAnswered(t *testing.T) {
	c := inMode("forgetful")
	c.CancelTimeout = 3 * time.Second
	b := driverIn(t, c, nil)
	pid := b.pid()
	wantFault(t, statIt(lasting(t, 500*time.Millisecond), b), storagedriver.KindDeadline) // the call is sent long before
	for range 10 {
		if err := statIt(lasting(t, time.Minute), b); err != nil {
			t.Fatal(err)
		}
	}
	if b.pid() != pid {
		t.Errorf("the process was killed before its time")
	}
	gone(t, pid)
}

func TestACallMayEndInTimeAfterItWasCancelled(t *testing.T) {
	c := inMode("late")
	c.Settle = 30 * time.Second
	b := driverIn(t, c, nil)
	pid := b.pid()
	within(t, 10*time.Second, "three calls", func() {
		for range 3 {
			wantFault(t, statIt(lasting(t, 50*time.Millisecond), b), storagedriver.KindDeadline)
		}
	})
	b.running.noCalls(t)
	if b.pid() != pid {
		t.Errorf("the process was started again")
	}
}

// jam fills the socket to a driver that does not read, and returns what the calls that fill it will return.
func jam(t *testing.T, ctx context.Context, b *backend, calls int) <-chan error {
	t.Helper()
	errs := make(chan error, calls)
	for range calls {
		go func() { errs <- b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, 4*window))) }()
	}
	until(t, "the socket is full", func() bool {
		out := b.running.out
		out.mu.Lock()
		defer out.mu.Unlock()
		return out.writing != 0 && len(b.running.out.turn) == 1 && b.running.calling() == calls
	})
	return errs
}

func (l *link) calling() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// A driver that does not read holds up no call beyond its context, whether its frames wait for their turn or are half written.
func TestADriverThatDoesNotReadHoldsUpNobody(t *testing.T) {
	c := inMode("deaf")
	c.CancelTimeout = time.Minute
	b := driverIn(t, c, nil)
	ctx, cancel := context.WithCancel(t.Context())
	errs := jam(t, ctx, b, 4)
	within(t, 5*time.Second, "a call beside them", func() {
		wantFault(t, statIt(lasting(t, 100*time.Millisecond), b), storagedriver.KindDeadline)
	})
	within(t, 5*time.Second, "the ends of the calls", func() {
		cancel()
		for range 4 {
			wantFault(t, <-errs, storagedriver.KindCanceled)
		}
	})
	if !b.running.alive() {
		t.Errorf("the process was killed: %v", b.running.reason())
	}
}

// A driver that does not read is killed in the end, also when no call is cancelled.
func TestADriverThatDoesNotReadIsKilled(t *testing.T) {
	b := driverIn(t, inMode("deaf"), nil)
	b.running.out.timeout = 300 * time.Millisecond
	r := b.running
	errs := jam(t, t.Context(), b, 4)
	for range 4 {
		wantLost(t, <-errs, "the driver's process was killed: it has not read what was sent for 300ms")
	}
	gone(t, r.p.pid())
}
