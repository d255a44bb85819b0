package guest

import (
	"sync"
	"time"
)

// The rate of a driver's log: what a person can follow, and a burst for a bad start.
const (
	logBurst = 100
	logRate  = 10 // lines a second
)

// Lines limits how many lines of a driver's go to the log. It may be used concurrently.
type Lines struct {
	mu      sync.Mutex
	used    float64
	last    time.Time
	told    time.Time // when it was last told how many could not pass
	dropped int
}

// Take reports whether a line may pass and, when one may again, how many could not.
func (b *Lines) Take(now time.Time) (ok bool, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = max(0, b.used-now.Sub(b.last).Seconds()*logRate)
	b.last = now
	if b.used+1 > logBurst {
		b.dropped++
		return false, 0
	}
	b.used++
	if b.dropped > 0 && now.Sub(b.told) >= time.Second {
		dropped, b.dropped, b.told = b.dropped, 0, now
	}
	return true, dropped
}
