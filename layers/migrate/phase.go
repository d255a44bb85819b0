package migrate

import (
	"context"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// stage is how far the end of a migration is.
type stage int

const (
	reading   stage = iota // old is read
	finishing              // it is not, but deletes reach it
	finished               // it is not touched
)

// finishState is the object at finishPath. Only Finish writes it.
type finishState struct {
	Version int       `json:"version"`
	Source  string    `json:"source"`
	Phase   Phase     `json:"phase"`
	Time    time.Time `json:"time"`
}

// stages knows the stage. Its methods may be called concurrently.
type stages struct {
	new     storagedriver.Backend
	confirm time.Duration

	mu        sync.Mutex
	stage     stage
	confirmed time.Time
}

// now returns the stage, which is certain for the time being: a stage before the last is looked at again when it was confirmed
// longer ago than Confirm.
func (s *stages) now(ctx context.Context) (stage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage == finished || !s.confirmed.IsZero() && time.Since(s.confirmed) < s.confirm {
		return s.stage, nil
	}
	begun := time.Now()
	var f finishState
	err := getObject(ctx, s.new, finishPath, &f)
	switch {
	case missing(err):
		s.stage = reading
	case err != nil:
		return s.stage, err
	case f.Phase == PhaseFinished:
		s.stage = finished
	default:
		s.stage = finishing
	}
	s.confirmed = begun
	return s.stage, nil
}
