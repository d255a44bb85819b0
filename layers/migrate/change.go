package migrate

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// area is what a change is about.
type area struct {
	// Paths are its paths; Tree says that it is about all below them too.
	Paths []string `json:"paths"`
	Tree  bool     `json:"tree,omitempty"`
	// Settle are the paths whose O is worth nothing once there is an N.
	Settle []string `json:"settle,omitempty"`
}

// covers reports whether the area has path in it.
func (a area) covers(path string) bool {
	return slices.ContainsFunc(a.Paths, func(p string) bool { return p == path || a.Tree && storagedriver.IsBelow(path, p) })
}

// markState is the object of a mark.
type markState struct {
	Version int   `json:"version"`
	Seq     int64 `json:"seq"`
	area
}

// change does what effect does to the area a, kept apart from the copier if anything of it is on old. effect is called once, and
// does what (2) and (3) of the package's comment ask for but for removing the O of a.Settle, which is done afterwards.
func (m *merged) change(ctx context.Context, a area, effect func(ctx context.Context) error) error {
	s, err := m.stages.now(ctx)
	if err != nil {
		return m.onNew(err)
	}
	if s == finished {
		return effect(ctx)
	}
	there, err := m.anyOnOld(ctx, a.Paths)
	if err != nil {
		return err
	}
	if there {
		return m.marked(ctx, a, effect)
	}
	if err := effect(ctx); err != nil || len(a.Settle) == 0 {
		return err
	}
	// An upload that was under way on old may have been committed since: what it left is settled as well.
	ctx, cancel := m.detached(ctx)
	defer cancel()
	if there, err = m.anyOnOld(ctx, a.Settle); err != nil || !there {
		return err
	}
	return m.marked(ctx, a, func(context.Context) error { return nil })
}

// anyOnOld reports whether anything is at one of the paths on old.
func (m *merged) anyOnOld(ctx context.Context, paths []string) (bool, error) {
	for _, path := range paths {
		_, err := m.old.Stat(ctx, path)
		if err == nil {
			return true, nil
		}
		if !missing(err) {
			return false, m.onOld(err)
		}
	}
	return false, nil
}

// settle removes the O of the paths that are to have none.
func (m *merged) settle(ctx context.Context, a area) error {
	for _, path := range a.Settle {
		if err := m.dropOld(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// dropOld removes the file at path from old, and not the uploads to it. Where a file and a directory cannot be at one path a directory there goes too, with the
// uploads below it, if it has no files: as it would if all were on one side.
func (m *merged) dropOld(ctx context.Context, path string) error {
	entry, err := m.old.Stat(ctx, path)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return m.onOld(err)
	case !entry.Dir:
		return m.onOld(unlessMissing(m.old.Delete(ctx, path)))
	case m.underFiles():
		return nil
	}
	if holds, err := hasFile(ctx, m.old, path); err != nil || holds {
		return m.onOld(err)
	}
	return m.onOld(endUploads(ctx, m.old, path))
}

// yield ends the uploads below path on new if they alone are a directory there, and old has the file at path: a commit on old does not see them. It returns refused
// where they are not what is in the way.
func (m *merged) yield(ctx context.Context, path string, refused error) error {
	there, err := isFile(ctx, m.old, path)
	if err != nil || !there || m.underFiles() {
		return either(m.onOld(err), refused)
	}
	if holds, err := hasFile(ctx, m.new, path); err != nil || holds {
		return either(m.onNew(err), refused)
	}
	return m.onNew(endUploads(ctx, m.new, path))
}

// endUploads ends the uploads to the path of a directory and below it, and removes the directories that this empties. A file that appears below it meanwhile stays.
func endUploads(ctx context.Context, b storagedriver.Backend, path string) error {
	if err := chunked.Abort(ctx, b, path); err != nil {
		return err
	}
	entries, err := listAll(ctx, b, path, "")
	if err != nil {
		return unlessMissing(err)
	}
	for _, e := range entries {
		name, _, private := strings.Cut(e.Name, storagedriver.PrivateMark)
		switch {
		case private && name != "":
			err = chunked.Abort(ctx, b, storagedriver.JoinPath(path, name))
		case e.Dir && !private:
			err = endUploads(ctx, b, storagedriver.JoinPath(path, name))
		}
		if err != nil {
			return err
		}
	}
	if entry, err := b.Stat(ctx, path); err == nil && entry.Dir {
		_ = b.Delete(ctx, path) // something may be in it
	}
	return nil
}

// settleTimeout bounds what is done for a change after its caller has gone.
const settleTimeout = 30 * time.Second

// detached is a context for what must not stop half-way.
func (m *merged) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
}

// marked calls effect while a mark stands for a, once the copier is at nothing of it, and settles.
func (m *merged) marked(ctx context.Context, a area, effect func(ctx context.Context) error) error {
	return m.whileMarked(ctx, a, effect, func() error { return m.settle(ctx, a) })
}

// whileMarked is marked with another way to settle, for an effect that was made.
func (m *merged) whileMarked(ctx context.Context, a area, effect func(ctx context.Context) error, settle func() error) error {
	k, err := m.mark(ctx, a)
	if err != nil {
		return m.onNew(err)
	}
	if err := m.awaitCopiers(ctx, a); err != nil {
		return k.remove(ctx, err, false)
	}
	if err := effect(ctx); err != nil {
		return k.remove(ctx, err, mayBeDone(err))
	}
	return k.remove(ctx, settle(), true)
}

// mayBeDone reports whether a change that failed with err may have been made all the same.
func mayBeDone(err error) bool {
	switch storagedriver.KindOf(err) {
	case storagedriver.KindNotFound, storagedriver.KindInvalidPath, storagedriver.KindInvalidOffset, storagedriver.KindInvalidArgument,
		storagedriver.KindUnsupported, storagedriver.KindConflict, storagedriver.KindPermission, storagedriver.KindDenied, storagedriver.KindNoSpace,
		storagedriver.KindLimit, storagedriver.KindClosed:
		return false
	}
	return true
}

// mark is a mark that stands.
type mark struct {
	m     *merged
	path  string
	state markState
	end   chan struct{}
	ended sync.WaitGroup

	mu    sync.Mutex
	valid time.Time // until then it counts
}

// mark puts a mark, which is written again until it is removed.
func (m *merged) mark(ctx context.Context, a area) (*mark, error) {
	k := &mark{m: m, path: changingDir + "/" + nonce(), state: markState{Version: version, area: a}, end: make(chan struct{})}
	if err := k.put(ctx); err != nil {
		// It may be there all the same.
		detached, cancel := m.detached(ctx)
		defer cancel()
		_ = m.new.Delete(detached, k.path)
		return nil, err
	}
	k.ended.Go(func() { k.beat(context.WithoutCancel(ctx)) })
	return k, nil
}

func (k *mark) put(ctx context.Context) error {
	begun := time.Now()
	k.state.Seq++
	if err := putObject(ctx, k.m.new, k.path, k.state); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.valid = begun.Add(k.m.timing.lease)
	return nil
}

func (k *mark) beat(ctx context.Context) {
	ticker := time.NewTicker(k.m.timing.heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-k.end:
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, k.m.timing.lease)
		_ = k.put(limited) // what counts is until when it is valid
		cancel()
	}
}

// remove ends the mark, and returns err or that the mark did not count to the end. After an error it stays with keep: the copier finds it
// standing still, and settles.
func (k *mark) remove(ctx context.Context, err error, keep bool) error {
	close(k.end)
	k.ended.Wait()
	k.mu.Lock()
	valid := time.Now().Before(k.valid)
	k.mu.Unlock()
	if err == nil && !valid {
		err = k.m.onNew(&storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
			Err: storagedriver.Errorf(storagedriver.KindUnavailable, "the mark of this change could not be kept for %v, so that the copier may have been at it: repeat it", k.m.timing.lease)})
	}
	if err != nil && keep && len(k.state.Settle) > 0 {
		return err
	}
	ctx, cancel := k.m.detached(ctx)
	defer cancel()
	if gone := unlessMissing(k.m.new.Delete(ctx, k.path)); gone != nil && err == nil {
		// The change is done, and the mark is found to stand still.
		k.m.log.Warn("a mark stays until the copier removes it", "path", k.path, "error", gone)
	}
	return err
}

// awaitCopiers returns when no intent that counts names anything of a.
func (m *merged) awaitCopiers(ctx context.Context, a area) error {
	seen := watch{stale: m.timing.stale}
	pause := m.timing.poll
	for {
		busy := false
		paths, err := listObjects(ctx, m.new, copyingDir)
		if err != nil {
			return m.onNew(err)
		}
		for _, path := range paths {
			var i intentState
			err := getObject(ctx, m.new, path, &i)
			if missing(err) {
				continue
			}
			if err != nil {
				return m.onNew(err)
			}
			busy = busy || slices.ContainsFunc(i.Paths, a.covers) && !seen.still(path, i.Seq)
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 20*m.timing.poll)
	}
}

// watch tells which objects stand still, by the clock of the one who looks. It is used by one goroutine.
type watch struct {
	stale time.Duration
	seen  map[string]sight
}

type sight struct {
	seq  int64
	when time.Time
}

// still reports whether the object at path has been seen with seq, and nothing else, for as long as stale.
func (w *watch) still(path string, seq int64) bool {
	if w.seen == nil {
		w.seen = map[string]sight{}
	}
	s, ok := w.seen[path]
	if !ok || s.seq != seq {
		w.seen[path] = sight{seq, time.Now()}
		return false
	}
	return time.Since(s.when) >= w.stale
}

// keep forgets all but the objects at paths.
func (w *watch) keep(paths []string) {
	for path := range w.seen {
		if !slices.Contains(paths, path) {
			delete(w.seen, path)
		}
	}
}

// onOld and onNew say on which side an error was met.
func (m *merged) onOld(err error) error { return onSide("old", m.old, err) }
func (m *merged) onNew(err error) error { return onSide("new", m.new, err) }

func onSide(side string, b storagedriver.Backend, err error) error {
	if err == nil || missing(err) || strings.HasPrefix(err.Error(), side+" (") {
		return err
	}
	return storagedriver.WrapError("", side+" ("+b.Name()+")", "", err)
}
