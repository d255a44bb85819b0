package migrate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// intentState is the object of a copier: the paths that it is about to make N of.
type intentState struct {
	Version int      `json:"version"`
	Seq     int64    `json:"seq"`
	Paths   []string `json:"paths"`
}

// intents are those of one copier. The object is there as long as it runs, which is how others see that it does.
type intents struct {
	m    *merged
	path string
	// expire ends all that the copier does, once the object could not be written for as long as the lease.
	expire *time.Timer

	mu      sync.Mutex
	active  map[string]bool
	waiting []*admission
	kick    chan struct{} // has a token when there is something to write

	left map[string]area // marks that stand still, by their path: those of changes that were killed

	// These are the goroutine's that runs.
	seq   int64
	marks watch
}

// admission is a path that waits for its intent to stand.
type admission struct {
	path  string
	reply chan error
	// settling says that marks that stand still do not keep it out: it is on their behalf.
	settling bool
}

// errChanging refuses a path that somebody changes.
var errChanging = storagedriver.NewError(storagedriver.KindConflict, "it is being changed")

func newIntents(m *merged, expired func()) *intents {
	return &intents{
		m: m, path: copyingDir + "/" + nonce(), active: map[string]bool{}, left: map[string]area{}, kick: make(chan struct{}, 1),
		marks: watch{stale: m.timing.stale}, expire: time.AfterFunc(m.timing.lease, expired),
	}
}

// begin returns when an intent for path stands, and nobody changes it: errChanging otherwise. After nil the caller calls end.
func (i *intents) begin(ctx context.Context, path string) error {
	return i.ask(ctx, &admission{path: path, reply: make(chan error, 1)})
}

func (i *intents) ask(ctx context.Context, a *admission) error {
	i.mu.Lock()
	i.waiting = append(i.waiting, a)
	i.mu.Unlock()
	i.wake()
	select {
	case err := <-a.reply:
		return err
	case <-ctx.Done():
		// It may be admitted all the same: nobody takes it then.
		go func() {
			if <-a.reply == nil {
				i.end(a.path)
			}
		}()
		return ctx.Err()
	}
}

// end says that the caller is done with path.
func (i *intents) end(path string) {
	i.mu.Lock()
	delete(i.active, path)
	i.mu.Unlock()
	i.wake()
}

func (i *intents) wake() {
	select {
	case i.kick <- struct{}{}:
	default:
	}
}

// run writes the object, whenever there is something new and every heartbeat, until ctx ends; then it removes it. Those who wait then are refused.
func (i *intents) run(ctx context.Context) {
	defer i.close(ctx)
	ticker := time.NewTicker(i.m.timing.heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.kick:
		case <-ticker.C:
		}
		i.cycle(ctx)
	}
}

// cycle writes the object with those who wait, reads the marks, and admits whom no mark names.
func (i *intents) cycle(ctx context.Context) {
	i.mu.Lock()
	waiting := i.waiting
	i.waiting = nil
	var refused []*admission
	admitted := waiting[:0:0]
	for _, a := range waiting {
		if i.active[a.path] {
			refused = append(refused, a) // one at a time
			continue
		}
		i.active[a.path] = true
		admitted = append(admitted, a)
	}
	paths := make([]string, 0, len(i.active))
	for path := range i.active {
		paths = append(paths, path)
	}
	i.mu.Unlock()
	for _, a := range refused {
		a.reply <- errChanging
	}
	slices.Sort(paths)
	marks, err := i.write(ctx, paths, len(admitted) > 0)
	for _, a := range admitted {
		reply := err
		if err == nil && slices.ContainsFunc(marks, func(k standing) bool { return k.covers(a.path) && !(k.still && a.settling) }) {
			reply = errChanging
		}
		if reply != nil {
			i.end(a.path)
		}
		a.reply <- reply
	}
}

// write writes the object, and reads the marks if somebody asks for them.
func (i *intents) write(ctx context.Context, paths []string, ask bool) ([]standing, error) {
	ctx, cancel := context.WithTimeout(ctx, i.m.timing.lease)
	defer cancel()
	begun := time.Now()
	i.seq++
	if err := putObject(ctx, i.m.new, i.path, intentState{version, i.seq, paths}); err != nil {
		return nil, i.m.onNew(err)
	}
	// If it fired already all is ending, and this comes too late to change it.
	i.expire.Reset(time.Until(begun.Add(i.m.timing.lease)))
	if !ask {
		return nil, nil
	}
	return i.look(ctx)
}

// standing is a mark.
type standing struct {
	area
	still bool
}

// look returns the marks, and notes those that stand still.
func (i *intents) look(ctx context.Context) ([]standing, error) {
	paths, err := listObjects(ctx, i.m.new, changingDir)
	if err != nil {
		return nil, i.m.onNew(err)
	}
	i.marks.keep(paths)
	var out []standing
	left := map[string]area{}
	for _, path := range paths {
		var k markState
		if err := getObject(ctx, i.m.new, path, &k); missing(err) {
			continue
		} else if err != nil {
			return nil, i.m.onNew(err)
		}
		still := i.marks.still(path, k.Seq)
		out = append(out, standing{k.area, still})
		if still {
			left[path] = k.area
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left = left
	return out, nil
}

// settleLeft does what changes that were killed did not come to, and removes their marks.
func (i *intents) settleLeft(ctx context.Context) error {
	i.mu.Lock()
	left := i.left
	i.left = map[string]area{}
	i.mu.Unlock()
	for path, a := range left {
		done := true
		for _, one := range a.Settle {
			err := i.ask(ctx, &admission{path: one, reply: make(chan error, 1), settling: true})
			if err == errChanging { //nolint:errorlint // by identity
				done = false // the mark is found again
				continue
			}
			if err != nil {
				return err
			}
			err = i.m.settleKilled(ctx, one)
			i.end(one)
			if err != nil {
				return err
			}
		}
		if !done {
			continue
		}
		if err := unlessMissing(i.m.new.Delete(ctx, path)); err != nil {
			return i.m.onNew(err)
		}
	}
	return nil
}

// settleKilled removes O where there is an N, for a change of path that was killed.
func (m *merged) settleKilled(ctx context.Context, path string) error {
	there, err := isFile(ctx, m.new, path)
	if err != nil || !there {
		return m.onNew(err)
	}
	return m.dropOld(ctx, path)
}

// quiet waits until the marks that stand now are gone.
func (i *intents) quiet(ctx context.Context) error {
	before, err := listObjects(ctx, i.m.new, changingDir)
	for err == nil && len(before) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(i.m.timing.heartbeat / 2):
		}
		if err := i.ask(ctx, &admission{path: dir, reply: make(chan error, 1), settling: true}); err != nil { // of no file: it has the marks looked at
			return err
		}
		i.end(dir)
		if err := i.settleLeft(ctx); err != nil {
			return err
		}
		var now []string
		now, err = listObjects(ctx, i.m.new, changingDir)
		before = slices.DeleteFunc(before, func(path string) bool { return !slices.Contains(now, path) })
	}
	return i.m.onNew(err)
}

// close removes the object, and refuses those who wait.
func (i *intents) close(ctx context.Context) {
	i.expire.Stop()
	i.mu.Lock()
	waiting := i.waiting
	i.waiting = nil
	i.mu.Unlock()
	for _, a := range waiting {
		a.reply <- context.Cause(ctx)
	}
	ctx, cancel := i.m.detached(ctx)
	defer cancel()
	_ = i.m.new.Delete(ctx, i.path) // others see it stand still
}

// others waits until no other copier is at work. With wait it does so however long that takes; otherwise one that is seen to work is KindConflict.
func (m *merged) others(ctx context.Context, wait bool) error {
	seen := watch{stale: m.timing.stale}
	first := map[string]int64{}
	for {
		paths, err := listObjects(ctx, m.new, copyingDir)
		if err != nil {
			return m.onNew(err)
		}
		alive := false
		for _, path := range paths {
			var i intentState
			if err := getObject(ctx, m.new, path, &i); missing(err) {
				continue
			} else if err != nil {
				return m.onNew(err)
			}
			if seen.still(path, i.Seq) {
				if err := unlessMissing(m.new.Delete(ctx, path)); err != nil {
					return m.onNew(err)
				}
				continue
			}
			alive = true
			if was, ok := first[path]; ok && was != i.Seq && !wait {
				return storagedriver.NewError(storagedriver.KindConflict, "another copier is at work, in a registry with copy: true or in 'berth migrate run': stop it, or let it finish")
			}
			first[path] = i.Seq
		}
		if !alive {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(m.timing.heartbeat / 2):
		}
	}
}
