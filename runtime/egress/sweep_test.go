package egress

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleConnectionsAreSweptOnceIn90Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		s := sweep{close: func() { closed++ }}
		want := func(after time.Duration, n int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if closed != n {
				t.Fatalf("swept %d times, want %d", closed, n)
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
