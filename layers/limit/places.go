package limit

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/berth-dev/storagedriver"
)

// places are what calls and bodies take.
type places struct {
	calls  *semaphore.Weighted // first come, first served
	bodies *semaphore.Weighted // calls itself when bodies have no places of their own
	config Config

	mu     sync.Mutex
	grants map[*storagedriver.SourceReads]*grant
}

func newPlaces(c Config) *places {
	p := &places{
		calls: semaphore.NewWeighted(int64(c.Concurrency)), config: c,
		grants: map[*storagedriver.SourceReads]*grant{},
	}
	p.bodies = p.calls
	if c.Bodies > 0 {
		p.bodies = semaphore.NewWeighted(int64(c.Bodies))
	}
	return p
}

// fedKey is in the context of what is done to feed a call that has its place: the value is of whose places.
type fedKey struct{ p *places }

// take waits for the place of a call, or of a body. The release that it returns is called once.
func (p *places) take(ctx context.Context, body bool) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Value(fedKey{p}) != nil {
		return func() {}, nil
	}
	if reads := storagedriver.SourceReadsOf(ctx); reads != nil {
		return p.join(ctx, reads)
	}
	of := p.calls
	if body {
		of = p.bodies
	}
	if err := of.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { of.Release(1) }, nil
}

// grant is the places of one request that is several calls.
type grant struct {
	bodies, calls int64
	ready         chan struct{} // closed when they are granted, or are not
	granted       bool          // set before ready is closed
	users         int           // calls that run or wait; guarded by places.mu
}

// join takes a place of the request's, all of which are granted together to its first call, and
// given back when none of its calls is left.
func (p *places) join(ctx context.Context, reads *storagedriver.SourceReads) (release func(), err error) {
	for {
		p.mu.Lock()
		g, there := p.grants[reads]
		if !there {
			g = p.newGrant(reads)
			p.grants[reads] = g
		}
		g.users++
		p.mu.Unlock()
		if !there {
			err = p.acquire(ctx, g)
			g.granted = err == nil
			if err != nil {
				p.mu.Lock()
				delete(p.grants, reads) // who waits with this call begins anew
				p.mu.Unlock()
			}
			close(g.ready)
			if err != nil {
				return nil, err
			}
		}
		select {
		case <-g.ready:
		case <-ctx.Done():
			p.leave(reads, g)
			return nil, ctx.Err()
		}
		if g.granted {
			return func() { p.leave(reads, g) }, nil
		}
	}
}

// newGrant returns what a request needs, or all there is.
func (p *places) newGrant(reads *storagedriver.SourceReads) *grant {
	g := &grant{ready: make(chan struct{})}
	if p.config.Bodies > 0 {
		g.bodies, g.calls = int64(min(reads.Open, p.config.Bodies)), 1
	} else {
		g.calls = int64(min(reads.Open+1, p.config.Concurrency))
	}
	return g
}

// acquire takes the bodies first: who has a call's place never waits for a body's.
func (p *places) acquire(ctx context.Context, g *grant) error {
	if g.bodies > 0 {
		if err := p.bodies.Acquire(ctx, g.bodies); err != nil {
			return err
		}
	}
	if err := p.calls.Acquire(ctx, g.calls); err != nil {
		p.bodies.Release(g.bodies)
		return err
	}
	return nil
}

func (p *places) leave(reads *storagedriver.SourceReads, g *grant) {
	p.mu.Lock()
	g.users--
	last := g.users == 0 && p.grants[reads] == g
	if last {
		delete(p.grants, reads)
	}
	p.mu.Unlock()
	if !last {
		return
	}
	// Whoever has not waited for the grant has left before: it is granted by now, or its taker has removed it.
	p.bodies.Release(g.bodies)
	p.calls.Release(g.calls)
}
