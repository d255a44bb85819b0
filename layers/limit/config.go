package limit

import "github.com/berth-dev/storagedriver"

// Config says how much runs at once.
type Config struct {
	// Concurrency is how many calls run at one time, 2 or more. A Read runs until its body is closed.
	Concurrency int `parameter:"concurrency"`
	// Bodies, if it is not 0, is how many bodies may be open at one time, which then are no part of
	// Concurrency: clients that download slowly keep nobody from the rest.
	Bodies int `parameter:"bodies"`
}

// most is the most that each may be: what the ports of one address allow.
const most = 65535

// Check returns KindInvalidArgument for a field out of its range, and names its parameter.
func (c Config) Check() error {
	switch {
	case c.Concurrency < 2 || c.Concurrency > most:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument,
			`parameter "concurrency" must be a whole number from 2 to %d: a write that joins stored content is two requests`, most)
	case c.Bodies < 0 || c.Bodies > most:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "bodies" must be a whole number from 0 to %d`, most)
	}
	return nil
}
