package runtime

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// Sizes and tags of poll_oneoff.
const (
	subscriptionSize = 48
	eventSize        = 32
	tagClock         = 0
	clockAbsolute    = 1
	maxSubscriptions = 64 // a guest without descriptors waits for one clock
)

// wasiPoll: poll_oneoff(in, out, count, events) -> errno. Clocks wait under the operation's
// context; when that ends the guest traps, because a sleep that returned early would be
// slept again. Descriptors answer EBADF at once.
func wasiPoll(start time.Time) wasiCall {
	return func(ctx context.Context, mem engine.Memory, stack []uint64) {
		count := uint64(uint32(stack[2]))
		if count == 0 || count > maxSubscriptions {
			result(stack, wasiInval)
			return
		}
		subscriptions := view(mem, stack[0], count*subscriptionSize)
		out := view(mem, stack[1], count*eventSize)
		n := view(mem, stack[3], 4)
		wait, hasClock, immediate := pollDelay(start, subscriptions)
		if hasClock && !immediate && wait > 0 {
			sleep(instanceOf(ctx).ctx, wait)
		}
		events := uint32(0)
		for ; len(subscriptions) > 0; subscriptions = subscriptions[subscriptionSize:] {
			tag := subscriptions[8]
			due := tag != tagClock || !immediate && clockDelay(start, subscriptions) <= wait
			if !due {
				continue
			}
			clear(out[:eventSize])
			copy(out, subscriptions[:8]) // the caller's data
			if tag != tagClock {
				binary.LittleEndian.PutUint16(out[8:], wasiBadF)
			}
			out[10] = tag
			out = out[eventSize:]
			events++
		}
		binary.LittleEndian.PutUint32(n, events)
		result(stack, wasiSuccess)
	}
}

// pollDelay returns how long until the first clock is due, and whether something else
// answers at once.
func pollDelay(start time.Time, subscriptions []byte) (wait time.Duration, hasClock, immediate bool) {
	wait = math.MaxInt64
	for ; len(subscriptions) > 0; subscriptions = subscriptions[subscriptionSize:] {
		if subscriptions[8] != tagClock {
			immediate = true
			continue
		}
		hasClock = true
		wait = min(wait, clockDelay(start, subscriptions))
	}
	return wait, hasClock, immediate
}

// clockDelay is how long until a clock subscription is due; at most 0 when it is.
func clockDelay(start time.Time, subscription []byte) time.Duration {
	timeout := binary.LittleEndian.Uint64(subscription[24:])
	if timeout > math.MaxInt64 {
		timeout = math.MaxInt64
	}
	if binary.LittleEndian.Uint16(subscription[40:])&clockAbsolute == 0 {
		return time.Duration(timeout)
	}
	now := uint64(time.Since(start))
	if binary.LittleEndian.Uint32(subscription[16:]) == wasiRealtime {
		now = uint64(time.Now().UnixNano())
	}
	return time.Duration(timeout - min(now, timeout))
}

// sleep waits. When the operation ends first, the guest traps.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(guest.ContextError(ctx.Err()))
	}
}
