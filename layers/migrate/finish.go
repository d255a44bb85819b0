package migrate

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/orphans"
	"golang.org/x/sync/errgroup"
)

// finishParallel is how many files Finish looks at at a time.
const finishParallel = 16

// Finish ends the migration: when it returns nil, no process that has the pair open reads or changes old any more. It
// takes 2*Confirm longer than the looks at what is there. KindConflict says what is left to be done first; then
// nothing has changed. Interrupted or killed, it is repeated.
func (d *Driver) Finish(ctx context.Context) error {
	return d.wrap("Finish", "", d.m.finish(ctx))
}

func (m *merged) finish(ctx context.Context) error {
	state, err := Status(ctx, m.new)
	if err != nil {
		return m.onNew(err)
	}
	switch state.Phase {
	case PhaseFinished:
		return nil
	case PhaseFinishing:
	case PhaseVerified:
		if err := m.mayFinish(ctx, &state); err != nil {
			return err
		}
	default:
		return storagedriver.Errorf(storagedriver.KindConflict, "the migration is %s: it can be finished when everything was copied and verified", state.Phase)
	}
	f := finishState{Version: version, Source: state.Source, Phase: PhaseFinishing, Time: time.Now().UTC()}
	if err := putObject(ctx, m.new, finishPath, f); err != nil {
		return m.onNew(err)
	}
	if err := waitUntil(ctx, time.Now().Add(2*m.timing.confirm)); err != nil {
		return err
	}
	f.Phase, f.Time = PhaseFinished, time.Now().UTC()
	if err := putObject(ctx, m.new, finishPath, f); err != nil {
		return m.onNew(err)
	}
	for _, place := range []string{copiesDir, movesDir} {
		if err := m.removeDir(ctx, place); err != nil {
			return m.onNew(err)
		}
	}
	return nil
}

// mayFinish returns KindConflict unless all of old is on new, and nothing on old is under way.
func (m *merged) mayFinish(ctx context.Context, state *State) error {
	if err := m.others(ctx, false); err != nil {
		return err
	}
	// Uploads first: what one of them committed since is found afterwards.
	open, first := 0, ""
	err := orphans.List(ctx, m.old, "/", func(o orphans.Orphan) error {
		if o.Kind == orphans.Upload {
			if open++; first == "" || o.Path < first {
				first = o.Path
			}
		}
		return nil
	})
	if err != nil {
		return m.onOld(err)
	}
	if open > 0 {
		return storagedriver.Errorf(storagedriver.KindConflict,
			"old has %d unfinished uploads, the first to %s: wait until they end, or end them with 'berth store orphans abort' on the old store", open, first)
	}
	left, err := m.left(ctx)
	if err != nil || left == "" {
		return err
	}
	state.begin(PhaseVerifying)
	if err := saveState(ctx, m.new, state); err != nil {
		return m.onNew(err)
	}
	return storagedriver.Errorf(storagedriver.KindConflict, "%s is on old, and not the same on new: it has come since the verification; what is left is copied by a registry with copy: true, or 'berth migrate run'", left)
}

// left returns a file of old that is not on new with the same size, or "".
func (m *merged) left(ctx context.Context) (string, error) {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(finishParallel)
	found := make(chan string, 1)
	err := m.oldGate.Walk(inner, "/", func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		group.Go(func() error {
			same, err := m.isOnNew(inner, info.Path())
			if err == nil && !same {
				select {
				case found <- info.Path():
				default:
				}
			}
			return err
		})
		if len(found) > 0 {
			return storagedriver.ErrFilledBuffer
		}
		return nil
	})
	err = either(group.Wait(), err)
	select {
	case path := <-found:
		return path, err
	default:
		return "", err
	}
}

// isOnNew reports whether N is there with the size of O, or O is gone. A change that is under way is given time.
func (m *merged) isOnNew(ctx context.Context, path string) (bool, error) {
	for end := time.Now().Add(m.timing.confirm); ; {
		older, err := m.old.Stat(ctx, path)
		if missing(err) || err == nil && older.Dir {
			return true, nil
		}
		if err != nil {
			return false, m.onOld(err)
		}
		newer, err := m.new.Stat(ctx, path)
		if err := unlessMissing(err); err != nil {
			return false, m.onNew(err)
		}
		if err == nil && !newer.Dir && newer.Size == older.Size {
			return true, nil
		}
		if time.Now().After(end) {
			return false, nil
		}
		if err := waitUntil(ctx, time.Now().Add(m.timing.poll)); err != nil {
			return false, err
		}
	}
}
