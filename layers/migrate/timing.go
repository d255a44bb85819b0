package migrate

import "time"

const (
	// Heartbeat is how often marks and intents are written again.
	Heartbeat = 5 * time.Second
	// Lease is how long one counts for who wrote it, since the begin of the last write that succeeded: three heartbeats may fail.
	Lease = 20 * time.Second
	// Stale is how long one must have stood still for who waits. The difference to Lease is what a request may be late.
	Stale = 40 * time.Second
	// Confirm is how long the knowledge counts that the migration is not being finished.
	Confirm = 10 * time.Second
)

// timing is the constants above, shorter in tests.
type timing struct {
	heartbeat, lease, stale, confirm time.Duration
	poll                             time.Duration // the pause between two looks at an intent
}

func defaultTiming() timing {
	return timing{heartbeat: Heartbeat, lease: Lease, stale: Stale, confirm: Confirm, poll: 50 * time.Millisecond}
}
