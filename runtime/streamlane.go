package runtime

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// idleStreams is how many instances a lane keeps for later streams. One of a Go guest takes milliseconds to make and holds
	// most of a MiB.
	idleStreams = 8
	// stalledAgain is how soon stalled streams are looked at again after some were ended.
	stalledAgain = 50 * time.Millisecond
)

// streamLane has the instances on which an opened driver's streams run. They are apart from those of its calls, because a stream holds one for as
// long as its reader takes. It may be used concurrently.
type streamLane struct {
	pool
	patience time.Duration // with a reader that takes nothing while others wait

	mu      sync.Mutex
	open    map[*stream]struct{}
	waiting map[chan struct{}]int // callers, by whose slots they wait for
	watch   *time.Timer           // runs while somebody waits
	closed  bool
}

// newStreamLane is for a driver that make makes instances of.
func (d *driver) newStreamLane() *streamLane {
	cfg := d.m.cfg
	l := &streamLane{patience: cfg.IdleTimeout, open: map[*stream]struct{}{}, waiting: map[chan struct{}]int{}}
	l.maxIdle, l.idleFor = min(idleStreams, cfg.MaxIdleInstances), cfg.IdleInstanceTime
	l.slots = make(chan struct{}, cfg.MaxStreams)
	l.nested = make(chan struct{}, max(1, cfg.MaxStreams/8))
	l.make = func(ctx context.Context) (*instance, error) {
		in, _, err := d.open(ctx)
		return in, err
	}
	l.crowded, l.returned = l.await, d.m.returned
	return l
}

// acquire returns an instance for a call, which release ends. s is the reader it is for, nil if it is for a piece of an upload: that
// keeps memory of the store's writers while the call runs, so what the call puts draws on the reserve of those that feed others.
func (l *streamLane) acquire(ctx context.Context, s *stream) (*instance, error) {
	in, err := l.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	if s != nil {
		l.mu.Lock()
		s.slots = in.lane
		l.mu.Unlock()
	}
	in.d.m.streams.Add(1)
	if s == nil {
		ctx = l.feed(ctx)
	}
	in.begin(ctx)
	return in, nil
}

func (l *streamLane) release(in *instance, s *stream) {
	in.end()
	if s != nil {
		l.mu.Lock()
		s.slots = nil
		l.mu.Unlock()
	}
	in.d.m.streams.Add(-1)
	l.pool.put(in)
}

// add notes a stream for close.
func (l *streamLane) add(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		s.pipe.fail(errClosedDriver)
		return
	}
	l.open[s] = struct{}{}
}

func (l *streamLane) remove(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s)
}

// end ends the streams of readers, and lets none begin. Their guests are not waited for. close is pool's.
func (l *streamLane) end() {
	l.mu.Lock()
	l.closed = true
	for s := range l.open {
		s.pipe.fail(errClosedDriver)
		s.cancel()
	}
	clear(l.open)
	if l.watch != nil {
		l.watch.Stop()
	}
	l.mu.Unlock()
}

// await notes a caller that waits for one of the slots, until it calls over.
func (l *streamLane) await(slots chan struct{}) (over func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[slots]++
	if len(l.waiting) == 1 && l.waiting[slots] == 1 && !l.closed {
		if l.watch == nil {
			l.watch = time.AfterFunc(0, l.endStalled)
		} else {
			l.watch.Reset(0)
		}
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.waiting[slots]--; l.waiting[slots] == 0 {
			delete(l.waiting, slots)
		}
	}
}

// endStalled ends as many streams as there are callers waiting, of those whose readers have taken nothing for too long the longest first. It comes
// back while somebody waits.
func (l *streamLane) endStalled() {
	type idler struct {
		s    *stream
		idle time.Duration
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting) == 0 {
		return
	}
	now, again := time.Now(), l.patience
	var stalled []idler
	for s := range l.open {
		if l.waiting[s.slots] == 0 {
			continue
		}
		idle := s.pipe.stalled(now)
		if idle >= l.patience {
			stalled = append(stalled, idler{s, idle})
		} else if idle > 0 {
			again = min(again, l.patience-idle)
		}
	}
	slices.SortFunc(stalled, func(a, b idler) int { return cmp.Compare(b.idle, a.idle) })
	left := map[chan struct{}]int{}
	for slots, n := range l.waiting {
		left[slots] = n
	}
	for _, i := range stalled {
		if left[i.s.slots]--; left[i.s.slots] < 0 {
			continue
		}
		i.s.pipe.fail(storagedriver.Errorf(storagedriver.KindDeadline, "the reader took nothing for %v while others waited for one of the driver's streams", l.patience))
		i.s.cancel()
	}
	if len(stalled) > 0 {
		again = min(again, stalledAgain)
	}
	l.watch.Reset(max(again, time.Millisecond))
}
