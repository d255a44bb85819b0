package adapt

import (
	"path"
	"sync"
)

// rivals knows which uploads have several writers at a time. A hash state says nothing about the bytes it was made from, so
// it must not outlive a moment in which others may have taken their place: of writers that are open at
// the same time and accept bytes none stores a hash state, and those there are go before such a writer accepts any. The
// content is then hashed anew when the upload is completed. For the same reason what they commit is hashed once more as it
// becomes a blob, while none of the others can commit. It may be used concurrently; the zero value is ready.
type rivals struct {
	mu      sync.Mutex
	uploads map[string]*contest // by the path of the content, as long as one is open
}

// contest is about one upload.
type contest struct {
	open int // guarded by rivals.mu

	mu       sync.Mutex // held while a hash state is stored, or all are removed, and by commits
	active   int        // writers that are open and have accepted bytes
	accepted int        // writers that ever have
}

// contender is one open writer, used by one goroutine at a time.
type contender struct {
	all      *rivals
	path     string
	contest  *contest
	met      bool // somebody was at work when it was opened
	before   int  // contest.accepted then
	accepted bool
	released bool
}

// enter must be called before the writer is opened, and release when it has ended.
func (r *rivals) enter(path string) *contender {
	r.mu.Lock()
	c := r.uploads[path]
	if c == nil {
		if r.uploads == nil {
			r.uploads = map[string]*contest{}
		}
		c = &contest{}
		r.uploads[path] = c
	}
	c.open++
	r.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return &contender{all: r, path: path, contest: c, met: c.active > 0, before: c.accepted}
}

// rivalled reports whether another has accepted bytes while this one was open. contest.mu is held.
func (c *contender) rivalled() bool {
	others := c.contest.accepted - c.before
	if c.accepted {
		others--
	}
	return c.met || others > 0
}

// accept must be called before the writer accepts its first bytes. With rivals it removes the hash states.
func (c *contender) accept(remove func() error) error {
	if c.accepted {
		return nil
	}
	c.contest.mu.Lock()
	defer c.contest.mu.Unlock()
	if c.rivalled() {
		if err := remove(); err != nil {
			return err
		}
	}
	c.accepted = true
	c.contest.accepted++
	c.contest.active++
	return nil
}

// vouch calls store, unless the writer has accepted nothing or had rivals.
func (c *contender) vouch(store func() error) error {
	c.contest.mu.Lock()
	defer c.contest.mu.Unlock()
	if !c.accepted || c.rivalled() {
		return nil
	}
	return store()
}

// commit calls commit, which is as good as accepting bytes, and move makes a blob of what was committed: verify comes first if
// there were rivals.
func (c *contender) commit(commit func() error) error {
	c.contest.mu.Lock()
	defer c.contest.mu.Unlock()
	if !c.accepted {
		c.accepted = true
		c.contest.accepted++
		c.contest.active++
	}
	return commit()
}

func (c *contender) move(verify, move func() error) error {
	c.contest.mu.Lock()
	defer c.contest.mu.Unlock()
	if c.rivalled() {
		if err := verify(); err != nil {
			return err
		}
	}
	return move()
}

func (c *contender) release() {
	if c.released {
		return
	}
	c.released = true
	c.contest.mu.Lock()
	if c.accepted {
		c.contest.active--
	}
	c.contest.mu.Unlock()
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.contest.open--; c.contest.open == 0 {
		delete(c.all.uploads, c.path)
	}
}

// isUploadContent reports .../_uploads/ID/data.
func isUploadContent(p string) bool {
	return path.Base(p) == "data" && path.Base(path.Dir(path.Dir(p))) == "_uploads"
}
