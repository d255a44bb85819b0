package egress

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleConnectionsAreSweptOnceIn90Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		s := sweep{close: func() { closed.Add(1) }}
		want := func(after time.Duration, n int32) {
			t.Helper()
			<-time.After(after) // of the bubble's clock
			synctest.Wait()
			if got := closed.Load(); got != n {
				t.Fatalf("swept %d times, want %d", got, n)
			}
		}
		s.start()
		want(80*time.Second, 0)
		s.start() // does not put it off
		want(11*time.Second, 1)
		want(time.Hour, 1) // nothing was opened since
		s.start()
		want(91*time.Second, 2)
		s.start()
		s.stop()
		want(time.Hour, 2)
		s.start()
		want(time.Hour, 2)
	})
}
