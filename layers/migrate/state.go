package migrate

import (
	"context"
	"path"
	"slices"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Phase is where a migration is.
type Phase string

// The phases, in their order. A pass with failures begins again with PhaseCopying.
const (
	// PhaseCounting: what old has is counted.
	PhaseCounting Phase = "counting"
	// PhaseCopying: what is on old alone is copied.
	PhaseCopying Phase = "copying"
	// PhaseVerifying: all of old is compared with new.
	PhaseVerifying Phase = "verifying"
	// PhaseVerified: all was found to be equal. Finish may end the migration.
	PhaseVerified Phase = "verified"
	// PhaseFinishing: old is not read any more, but deletes still reach it.
	PhaseFinishing Phase = "finishing"
	// PhaseFinished: old is not touched any more.
	PhaseFinished Phase = "finished"
)

// maxFailures is how many failures of a pass a State names.
const maxFailures = 20

// Count is a number of files and of their bytes.
type Count struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

func (c *Count) add(bytes int64) {
	c.Files++
	c.Bytes += bytes
}

// Failure is a file that was not copied, or is not equal.
type Failure struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// State is what is stored of a migration.
type State struct {
	Version int `json:"version"`
	// Source is an id of the store that old is.
	Source string `json:"source"`
	Phase  Phase  `json:"phase"`
	// Pass counts the passes over old, of copying and verifying together, from 1.
	Pass int `json:"pass"`
	// Cursor is the path up to which this pass is done.
	Cursor string `json:"cursor"`
	// Total is what old was found to have, Done what of that this pass has been over, Copied what all passes have copied.
	Total  Count `json:"total"`
	Done   Count `json:"done"`
	Copied Count `json:"copied"`
	// Missing is how many files this pass, of verifying, had to copy.
	Missing int64 `json:"missing"`
	// Failed is how many files failed in this pass, and Failures the first of them.
	Failed   int64     `json:"failed"`
	Failures []Failure `json:"failures,omitempty"`
	// Begun is when the migration began, Updated when this was written.
	Begun   time.Time `json:"begun"`
	Updated time.Time `json:"updated"`
	// RateSince and RateDone are since when, and from what of Done on, the copier that wrote this has been at the pass.
	RateSince time.Time `json:"rateSince"`
	RateDone  Count     `json:"rateDone"`
}

// Left returns how long the pass takes from Updated on, if it goes on as since RateSince. ok is false where there is nothing to tell it by.
func (s State) Left() (left time.Duration, ok bool) {
	if s.Phase != PhaseCopying && s.Phase != PhaseVerifying {
		return 0, false
	}
	took, bytes, files := s.Updated.Sub(s.RateSince), s.Done.Bytes-s.RateDone.Bytes, s.Done.Files-s.RateDone.Files
	if took <= 0 || files <= 0 {
		return 0, false
	}
	// Whichever is slower: many small files, or few large ones.
	if bytes > 0 {
		left = time.Duration(float64(took) / float64(bytes) * float64(max(s.Total.Bytes-s.Done.Bytes, 0)))
	}
	return max(left, time.Duration(float64(took)/float64(files)*float64(max(s.Total.Files-s.Done.Files, 0)))), true
}

func (s *State) fail(path string, err error) {
	s.Failed++
	if len(s.Failures) < maxFailures {
		s.Failures = append(s.Failures, Failure{path, err.Error()})
	}
}

// begin makes a pass the present one.
func (s *State) begin(p Phase) {
	s.Phase, s.Cursor, s.Done, s.Missing, s.Failed, s.Failures = p, "", Count{}, 0, 0, nil
	s.Pass++
}

// Status reads the state of the migration to new. The Phase is that of the finish where that has begun. No migration is KindNotFound.
func Status(ctx context.Context, new storagedriver.Backend) (State, error) {
	s, err := loadState(ctx, new)
	if missing(err) {
		return s, storagedriver.NewError(storagedriver.KindNotFound, "there is no migration to this store: it begins when 'berth serve' or 'berth migrate run' opens the driver migrate")
	}
	if err != nil {
		return s, err
	}
	var f finishState
	switch err := getObject(ctx, new, finishPath, &f); {
	case missing(err):
	case err != nil:
		return s, err
	default:
		s.Phase = f.Phase
	}
	return s, nil
}

func loadState(ctx context.Context, new storagedriver.Backend) (s State, err error) {
	return s, getObject(ctx, new, statePath, &s)
}

func saveState(ctx context.Context, new storagedriver.Backend, s *State) error {
	s.Version, s.Updated = version, time.Now().UTC()
	return putObject(ctx, new, statePath, s)
}

// storeID is an object in idsDir, whose name is the id.
type storeID struct {
	Version int `json:"version"`
}

// identities returns the ids of a store. Each of several processes that begin at the same time may give it one: all are its own, and none is ever
// removed, so that a state names the store by any of them.
func identities(ctx context.Context, b storagedriver.Backend) ([]string, error) {
	ids, err := listObjects(ctx, b, idsDir)
	for i := range ids {
		ids[i] = path.Base(ids[i])
	}
	return ids, err
}

// identify returns an id of a store, which it is given if it has none.
func identify(ctx context.Context, b storagedriver.Backend) (string, error) {
	ids, err := identities(ctx, b)
	switch {
	case err != nil:
		return "", err
	case len(ids) > 0:
		return ids[0], nil
	}
	id := nonce()
	return id, putObject(ctx, b, storagedriver.JoinPath(idsDir, id), storeID{version})
}

// attach makes sure that the migration from old to new has begun, and is of these two.
func attach(ctx context.Context, old, new storagedriver.Backend) error {
	state, err := loadState(ctx, new)
	switch {
	case missing(err):
		return start(ctx, old, new)
	case err != nil:
		return err
	}
	if ids, err := identities(ctx, old); err != nil || slices.Contains(ids, state.Source) {
		return err
	}
	return storagedriver.NewError(storagedriver.KindConflict,
		"the new store has the state of a migration from another store than this old one: name that one, or, when that migration is over, remove "+statePath+" and "+finishPath+" from the new store")
}

// start writes the first state.
func start(ctx context.Context, old, new storagedriver.Backend) error {
	back, err := forsake(ctx, old, new)
	if err != nil {
		return err
	}
	if !back {
		if holds, err := hasFile(ctx, new, "/"); err != nil {
			return err
		} else if holds {
			return notEmpty(ctx, old, new)
		}
	}
	if err := unlessMissing(new.Delete(ctx, finishPath)); err != nil {
		return err
	}
	source, err := identify(ctx, old)
	if err != nil {
		return err
	}
	return saveState(ctx, new, &State{Source: source, Phase: PhaseCounting, Begun: time.Now().UTC()})
}

// notEmpty refuses a new store that has content, which would count more than old's, unless it came there by this migration just now.
func notEmpty(ctx context.Context, old, new storagedriver.Backend) error {
	if _, err := loadState(ctx, new); !missing(err) {
		return either(err, attach(ctx, old, new))
	}
	return storagedriver.NewError(storagedriver.KindConflict,
		"the new store is not empty: what it has would count more than what the old one has, however old it is; choose an empty place, or remove what is there")
}

// forsake removes what old has of a migration in which it was the new store. It must be over, or this one be its way back, which the result says.
func forsake(ctx context.Context, old, new storagedriver.Backend) (back bool, err error) {
	former, err := Status(ctx, old)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ids, err := identities(ctx, new)
	if err != nil {
		return false, err
	}
	over := former.Phase == PhaseFinished
	back = slices.Contains(ids, former.Source) && !over
	switch {
	case back && former.Phase == PhaseFinishing:
		return false, storagedriver.NewError(storagedriver.KindConflict, "the migration from the new store to the old one is finishing: repeat 'berth migrate finish' with that configuration")
	case !back && !over:
		return false, storagedriver.Errorf(storagedriver.KindConflict, "the old store is itself the new one of a migration that is %s: finish that first", former.Phase)
	}
	for _, p := range []string{statePath, finishPath} {
		if err := unlessMissing(old.Delete(ctx, p)); err != nil {
			return false, err
		}
	}
	return back, nil
}
