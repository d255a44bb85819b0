package retry

import (
	"time"

	"github.com/berth-dev/storagedriver"
)

// Config says how often and how soon. A field that is zero is that of Default.
type Config struct {
	// Attempts is how often one call is tried at most, the first time included.
	Attempts int `parameter:"attempts"`
	// Budget is how many repeats all calls of the driver may have in a row. Each repeat takes one, each
	// call that succeeds gives a tenth back.
	Budget int `parameter:"budget"`
	// Wait is the longest pause before the second attempt; it doubles with each further one.
	Wait time.Duration `parameter:"wait"`
	// MaxWait is the longest pause there is. A backend that asks to be left alone for longer is not
	// asked again.
	MaxWait time.Duration `parameter:"maxwait"`
}

// Default returns the configuration that is used where nothing else is said. Four attempts, with
// pauses of 0.7 s together at most, outlast a connection that breaks or a server that restarts
// behind a balancer; more of them delay the answer to somebody who may have to look elsewhere.
func Default() Config {
	return Config{Attempts: 4, Budget: 100, Wait: 100 * time.Millisecond, MaxWait: 10 * time.Second}
}

// The bounds of each.
const (
	maxAttempts = 20
	maxBudget   = 1_000_000
	minPause    = time.Millisecond
	maxPause    = 10 * time.Minute
)

// Check returns KindInvalidArgument for a field out of its range, zero as well, and names its parameter.
func (c Config) Check() error {
	switch {
	case c.Attempts < 1 || c.Attempts > maxAttempts:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "attempts" must be a whole number from 1 to %d`, maxAttempts)
	case c.Budget < 1 || c.Budget > maxBudget:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "budget" must be a whole number from 1 to %d`, maxBudget)
	case c.Wait < minPause || c.Wait > maxPause:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "wait" must be a duration from %v to %v`, minPause, maxPause)
	case c.MaxWait < minPause || c.MaxWait > maxPause:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "maxwait" must be a duration from %v to %v`, minPause, maxPause)
	}
	return nil
}

func (c Config) withDefaults() Config {
	d := Default()
	if c.Attempts == 0 {
		c.Attempts = d.Attempts
	}
	if c.Budget == 0 {
		c.Budget = d.Budget
	}
	if c.Wait == 0 {
		c.Wait = d.Wait
	}
	if c.MaxWait == 0 {
		c.MaxWait = d.MaxWait
	}
	return c
}
