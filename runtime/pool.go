package runtime

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// eager is how many instances of a driver are made without looking whether one comes back: with 16, 64
// callers of short calls wait little, and 64 uploads keep within what is promised of their memory.
const eager = 16

// patience is how long a call waits at least for an instance to come back before it makes another, and
// twice what the last took to make if that is more, at most mostPatience. One of a Go guest takes
// some 2 ms and then holds most of a MiB: where calls are short, few instances serve many callers.
// Where they are long it is waited once for each instance, until there are enough, few of which are made
// at a time. On a busy machine, where everything takes longer, a burst would otherwise make one for each call.
// One that takes longer than mostPatience to make, because opening it waits for a server, keeps the others
// waiting no more than that.
const (
	patience     = 2 * time.Millisecond
	mostPatience = 50 * time.Millisecond
)

// pool keeps the instances of an opened driver: as many as calls that last need, and after
// them the youngest idle ones, last in first out, so that a quiet driver shrinks.
type pool struct {
	slots   chan struct{} // one for each instance in use
	nested  chan struct{} // the same for calls that feed other calls; nil when there is one instance only
	maxIdle int
	idleFor time.Duration // 0: for ever
	make    func(ctx context.Context) (*instance, error)
	// returned is of tests: it sees each instance that comes back, before anyone else has it. It may be nil.
	returned func(*instance)
	// crowded is told of a caller that waits for one of the slots, until it calls over; nil need not be.
	crowded func(slots chan struct{}) (over func())

	mu     sync.Mutex
	busy   int           // instances in use or being made
	queue  []*waiting    // for one of them, the first first
	spare  []*waiting    // to be used again: channels
	grower *time.Timer   // runs while queue has something, once there was a queue
	makers int           // calls that waited and make one
	began  time.Time     // when the last of makers did
	took   time.Duration // to make the last one
	idle   []*instance   // the oldest first
	timer  *time.Timer   // nil when there is nothing to shrink
	closed bool
}

// waiting is a call that waits for an instance.
type waiting struct {
	since  time.Time
	handed chan *instance // has room for the one that is sent: an instance, or nil for the call to make one
}

var errClosedDriver error = storagedriver.NewError(storagedriver.KindClosed, "the driver is closed")

// feeding marks the context of a source that is lent to a call: calls made under it must
// not wait for instances that wait for them.
type feeding struct {
	p  *pool
	up *feeding // the call that the call of p feeds, or nil
}

type feedingKey struct{}

// feed returns the context for sources that are lent to a call on an instance of p.
func (p *pool) feed(ctx context.Context) context.Context {
	return egress.Feeding(context.WithValue(ctx, feedingKey{}, &feeding{p, feedingOf(ctx)}))
}

// feedingOf returns what calls under ctx feed, or nil.
func feedingOf(ctx context.Context) *feeding {
	f, _ := ctx.Value(feedingKey{}).(*feeding)
	return f
}

// unfed returns a context under which calls feed none.
func unfed(ctx context.Context) context.Context {
	if feedingOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, feedingKey{}, (*feeding)(nil))
}

// fedSource is a source that is lent to a call on an instance of p.
type fedSource struct {
	storagedriver.Source
	p *pool
}

// Open implements storagedriver.Source.
func (s fedSource) Open(ctx context.Context) (io.ReadCloser, error) {
	return s.Source.Open(s.p.feed(ctx))
}

// lane returns the slots that a call under ctx takes one of.
func (p *pool) lane(ctx context.Context) (chan struct{}, error) {
	f := feedingOf(ctx)
	if f != nil && p.nested != nil {
		return p.nested, nil
	}
	for ; f != nil; f = f.up {
		if f.p == p {
			return nil, storagedriver.NewError(storagedriver.KindUnsupported,
				"the driver keeps its state in one instance, which runs the very call that this one is to feed")
		}
	}
	return p.slots, nil
}

// get returns an instance that is the caller's alone until put. Waiting honours ctx.
func (p *pool) get(ctx context.Context) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, guest.ContextError(err)
	}
	lane, err := p.lane(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case lane <- struct{}{}:
	default:
		if p.crowded != nil {
			defer p.crowded(lane)()
		}
		select {
		case lane <- struct{}{}:
		case <-ctx.Done():
			return nil, guest.ContextError(ctx.Err())
		}
	}
	in, err := p.take(ctx)
	if err != nil {
		<-lane
		return nil, err
	}
	in.lane = lane
	return in, nil
}

// take returns an idle instance, or one that comes back soon, or a new one.
func (p *pool) take(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosedDriver
	}
	if n := len(p.idle); n > 0 {
		in := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.busy++
		p.mu.Unlock()
		return in, nil
	}
	waits := p.busy >= eager
	if waits {
		if in, err := p.await(ctx); in != nil || err != nil {
			p.mu.Unlock()
			return in, err
		}
	}
	p.busy++
	p.mu.Unlock()
	begin := time.Now()
	in, err := p.make(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = time.Since(begin)
	if waits {
		p.makers--
	}
	if err != nil {
		p.busy--
	}
	return in, err
}

// wait is how long a call waits before it makes an instance. p.mu is held.
func (p *pool) wait() time.Duration { return min(max(patience, 2*p.took), mostPatience) }

// growAfter has the queue looked at. p.mu is held.
func (p *pool) growAfter(d time.Duration) {
	if p.grower == nil {
		p.grower = time.AfterFunc(d, p.grow)
	} else {
		p.grower.Reset(d)
	}
}

// grow tells the call that has waited longest to make an instance if it has waited long enough.
func (p *pool) grow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return
	}
	left := p.wait() - time.Since(p.queue[0].since)
	if p.makers > 0 {
		left = max(left, min(p.wait(), mostPatience-time.Since(p.began)))
	}
	if left <= 0 {
		p.hand(nil)
		left = p.wait()
	}
	if len(p.queue) > 0 {
		p.growAfter(left)
	}
}

// hand gives in to the call that has waited longest, or nil for it to make one. p.mu is held.
func (p *pool) hand(in *instance) {
	if in == nil {
		p.makers, p.began = p.makers+1, time.Now()
	}
	p.queue[0].handed <- in
	p.queue = slices.Delete(p.queue, 0, 1)
}

// await waits for an instance that put hands over. nil is none in time: the caller, which
// is counted in p.makers, is to make one. p.mu is held, but not while it waits.
func (p *pool) await(ctx context.Context) (*instance, error) {
	w := &waiting{handed: make(chan *instance, 1)}
	if n := len(p.spare); n > 0 {
		w, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	w.since = time.Now()
	p.queue = append(p.queue, w)
	if len(p.queue) == 1 {
		p.growAfter(p.wait())
	}
	p.mu.Unlock()
	var in *instance
	ended := false
	select {
	case in = <-w.handed:
	case <-ctx.Done():
		ended = true
	}
	p.mu.Lock()
	if ended {
		if i := slices.Index(p.queue, w); i >= 0 {
			p.queue = slices.Delete(p.queue, i, i+1)
			p.spare = append(p.spare, w)
			return nil, guest.ContextError(ctx.Err())
		}
		in = <-w.handed // in this moment
	}
	p.spare = append(p.spare, w)
	if in == nil && p.closed {
		p.makers--
		return nil, errClosedDriver
	}
	return in, nil
}

// put gives an instance back. A broken one is closed.
func (p *pool) put(in *instance) {
	if p.returned != nil {
		p.returned(in)
	}
	var drop *instance
	lane := in.lane
	p.mu.Lock()
	switch {
	case in.broken || p.closed:
		drop = in
	case len(p.queue) > 0:
		p.hand(in)
		p.mu.Unlock()
		<-lane
		return
	case len(p.idle) >= p.maxIdle:
		drop = p.idle[0]
		copy(p.idle, p.idle[1:])
		p.idle[len(p.idle)-1] = in
	default:
		p.idle = append(p.idle, in)
	}
	p.busy--
	if drop != in && p.idleFor > 0 {
		in.idleSince = time.Now()
		if p.timer == nil {
			p.timer = time.AfterFunc(p.idleFor, p.shrink)
		}
	}
	p.mu.Unlock()
	if drop != nil {
		drop.close()
	}
	<-lane
}

// shrink closes what has been idle for long.
func (p *pool) shrink() {
	p.mu.Lock()
	limit := time.Now().Add(-p.idleFor)
	n := 0
	for n < len(p.idle) && !p.idle[n].idleSince.After(limit) {
		n++
	}
	old := append([]*instance(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.timer = nil
	if len(p.idle) > 0 && !p.closed {
		p.timer = time.AfterFunc(max(time.Until(p.idle[0].idleSince.Add(p.idleFor)), time.Millisecond), p.shrink)
	}
	p.mu.Unlock()
	for _, in := range old {
		in.close()
	}
}

// close closes the idle instances; those in use are closed as they come back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	for len(p.queue) > 0 {
		p.hand(nil)
	}
	p.mu.Unlock()
	for _, in := range idle {
		in.close()
	}
}
