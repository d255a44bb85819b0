package migrate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Copy copies what is on old alone, and verifies, until the state is verified; in a state that is verified already it verifies once more. Only one
// copier works at a time: another that does is KindConflict, and one that was killed is waited for, as long as Stale. A pass in
// which files failed ends it, with an error that says how many and why the first. When ctx ends, or after an error, another call goes on.
func (d *Driver) Copy(ctx context.Context, o CopyOptions) error {
	if err := o.Check(); err != nil {
		return err
	}
	return d.wrap("Copy", "", d.m.copy(ctx, o, false))
}

// copyPause is the pause of a copier in a registry after a failure, and between two looks whether there is anything to do again.
const copyPause = time.Minute

// keepCopying copies until ctx ends or the migration is over.
func (d *Driver) keepCopying(ctx context.Context, o CopyOptions) {
	for {
		err := d.m.copy(ctx, o, true)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.m.log.Error("copying behind failed, and goes on in a while", "error", err)
		}
		if s, err := d.m.stages.now(ctx); err == nil && s != reading {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(copyPause, 6*d.m.timing.confirm)):
		}
	}
}

// copier is one run.
type copier struct {
	m       *merged
	o       CopyOptions
	src     storagedriver.StorageDriver // old, throttled
	intents *intents

	mu    sync.Mutex
	state State
}

// errExpired ends a copier that cannot say any more what it is at.
var errExpired = &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("new did not take the copier's intents for as long as they count")}

// copy is Copy. With keep it waits for another copier, and leaves a verified state alone.
func (m *merged) copy(ctx context.Context, o CopyOptions, keep bool) error {
	o = o.withDefaults()
	if s, err := m.stages.now(ctx); err != nil || s != reading {
		return m.onNew(err)
	}
	if keep {
		if s, err := loadState(ctx, m.new); err != nil || s.Phase == PhaseVerified {
			return m.onNew(err)
		}
	}
	if err := m.others(ctx, keep); err != nil {
		return err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &copier{m: m, o: o, src: throttle(m.oldGate, o.Rate), intents: newIntents(m, func() { cancel(errExpired) })}
	ended := make(chan struct{})
	announcing, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(ended)
		c.intents.run(announcing)
	}()
	defer func() {
		stop()
		<-ended
	}()
	err := c.run(inner, keep)
	if cause := context.Cause(inner); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// run does the phases that are left.
func (c *copier) run(ctx context.Context, keep bool) error {
	var err error
	if c.state, err = loadState(ctx, c.m.new); err != nil {
		return c.m.onNew(err)
	}
	switch c.state.Phase {
	case PhaseVerified:
		if keep {
			return nil
		}
		c.state.begin(PhaseVerifying)
	case PhaseCopying, PhaseVerifying:
		if c.state.Cursor == "" && c.state.Failed > 0 {
			c.state.begin(PhaseCopying)
		}
	default:
		if err := c.count(ctx); err != nil {
			return err
		}
		c.state.begin(PhaseCopying)
	}
	for {
		if err := c.pass(ctx); err != nil {
			return err
		}
		switch {
		case c.state.Failed > 0:
			return c.failed(ctx)
		case c.state.Phase == PhaseCopying, c.state.Missing > 0:
			c.state.begin(PhaseVerifying)
		default:
			c.state.Phase = PhaseVerified
			c.m.log.Info("everything on old was found on new", "files", c.state.Done.Files, "bytes", c.state.Done.Bytes)
			return c.save(ctx)
		}
	}
}

// failed ends a pass with failures: the next one begins anew.
func (c *copier) failed(ctx context.Context) error {
	c.state.Cursor = ""
	if err := c.save(ctx); err != nil {
		return err
	}
	first := c.state.Failures[0]
	return storagedriver.Errorf(storagedriver.KindUnknown, "%d files are not on new as they are on old; the first is %s: %s", c.state.Failed, first.Path, first.Error)
}

func (c *copier) save(ctx context.Context) error {
	c.mu.Lock()
	s := c.state
	s.Failures = slices.Clone(s.Failures)
	c.mu.Unlock()
	return c.m.onNew(saveState(ctx, c.m.new, &s))
}

// count counts what old has.
func (c *copier) count(ctx context.Context) error {
	c.state.Phase, c.state.Total = PhaseCounting, Count{}
	if err := c.save(ctx); err != nil {
		return err
	}
	var total Count
	err := c.m.oldGate.Walk(ctx, "/", func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			total.add(info.Size())
		}
		return nil
	})
	c.state.Total = total
	return err
}

// pass goes over old from the cursor on, and does to each file what the phase is about.
func (c *copier) pass(ctx context.Context) error {
	if c.state.Phase == PhaseVerifying {
		if err := c.intents.quiet(ctx); err != nil {
			return err
		}
	}
	c.state.RateSince, c.state.RateDone = time.Now().UTC(), c.state.Done
	if err := c.save(ctx); err != nil {
		return err
	}
	c.m.log.Info("a pass over old begins", "phase", c.state.Phase, "pass", c.state.Pass, "after", c.state.Cursor)
	q := &queue{c: c, files: make(chan *queued)}
	var workers sync.WaitGroup
	for range c.o.Parallel {
		workers.Go(func() {
			for f := range q.files {
				q.done(f, c.one(ctx, f.path), ctx.Err() != nil)
			}
		})
	}
	saving, stop := context.WithCancel(ctx)
	var saver sync.WaitGroup
	saver.Go(func() { c.keepSaving(saving) })
	err := c.m.oldGate.Walk(ctx, "/", func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		return q.add(ctx, info)
	}, storagedriver.WithStartAfterHint(c.state.Cursor))
	close(q.files)
	workers.Wait()
	stop()
	saver.Wait()
	if err != nil || ctx.Err() != nil {
		// Where it is is kept, for the next one.
		detached, cancel := c.m.detached(ctx)
		defer cancel()
		return errors.Join(either(ctx.Err(), err), c.save(detached))
	}
	return c.save(ctx)
}

// keepSaving saves the state now and then.
func (c *copier) keepSaving(ctx context.Context) {
	ticker := time.NewTicker(c.m.timing.heartbeat / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := c.save(ctx); err != nil && ctx.Err() == nil {
				c.m.log.Warn("the state of the migration was not stored", "error", err)
			}
			if err := c.intents.settleLeft(ctx); err != nil && ctx.Err() == nil {
				c.m.log.Warn("a change that was killed was not settled", "error", err)
			}
		}
	}
}

// queue gives out files in order, and moves the cursor behind those that are done with all before them.
type queue struct {
	c     *copier
	files chan *queued
	order []*queued // guarded by c.mu
}

type queued struct {
	path  string
	bytes int64
	done  bool
}

func (q *queue) add(ctx context.Context, info storagedriver.FileInfo) error {
	f := &queued{path: info.Path(), bytes: info.Size()}
	q.c.mu.Lock()
	q.order = append(q.order, f)
	q.c.mu.Unlock()
	select {
	case q.files <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done notes what became of a file. What was interrupted is not done.
func (q *queue) done(f *queued, err error, interrupted bool) {
	q.c.mu.Lock()
	defer q.c.mu.Unlock()
	if interrupted && err != nil {
		return
	}
	s := &q.c.state
	if err != nil {
		q.c.m.log.Warn("a file was not copied, or is not equal", "path", f.path, "error", err)
		s.fail(f.path, err)
	}
	f.done = true
	for len(q.order) > 0 && q.order[0].done {
		s.Cursor = q.order[0].path
		s.Done.add(q.order[0].bytes)
		q.order = q.order[1:]
	}
}
