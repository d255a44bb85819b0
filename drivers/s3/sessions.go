package s3

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

const (
	// maxSessions bounds what is remembered of uploads.
	maxSessions = 4096
	// maxFound bounds the states that are remembered as they were found: each may have a tail.
	maxFound = 32
)

// session is what is known of an upload that a writer of this driver has begun, or gone on with. Another process finds it in the state.
type session struct {
	number uint64 // of the token

	mu    sync.Mutex
	state *state // as it was saved last; nil before
	tag   string // its ETag
	// created is a multipart upload that no answer has said to be saved: the state may name it all the same. nil is none.
	created *state
}

// upload returns the ID of the multipart upload that the writer has made its own, or "".
func (s *session) upload() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return ""
	}
	return s.state.Upload
}

// with is now, with the upload that was created for it where that names none. mu is held.
func (s *session) with(now *state) *state {
	if s.created == nil || now.Upload != "" {
		return now
	}
	next := *now
	next.Upload, next.Mark, next.Begun = s.created.Upload, s.created.Mark, now.TailSize == 0
	return &next
}

// replaces returns the ETag of the state that the writer's next one replaces, or "" where there is to be none. mu is held.
func (s *session) replaces(t token) string {
	if s.state != nil {
		return s.tag
	}
	return t.base
}

// sessions are those of the writers that have stored something, until they commit or cancel; the oldest are forgotten when there are
// too many. They may be used concurrently.
type sessions struct {
	instance string // in tokens: which driver they are of

	mu        sync.Mutex
	last      uint64 // the number of the youngest token
	forgotten uint64 // tokens up to this one may have had a session that is forgotten
	writers   map[string]*session
	found     []foundState // by writers that have stored nothing yet; the youngest are the last
}

// foundState is the state that a writer found when it was opened.
type foundState struct {
	writer string
	state  *state
}

func newSessions() *sessions { return &sessions{instance: random(8), writers: map[string]*session{}} }

// token returns a new one, for an upload to key.
func (s *sessions) token(key string) token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return token{instance: s.instance, number: s.last, writer: random(8), key: key}
}

// of returns the session of a token, new or old.
func (s *sessions) of(t token) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.writers[t.writer]; found != nil {
		return found
	}
	if len(s.writers) == maxSessions {
		s.forget()
	}
	added := &session{number: t.number}
	s.writers[t.writer] = added
	return added
}

// find remembers the state, which nobody changes, that the token's writer found.
func (s *sessions) find(t token, found *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) == maxFound {
		s.found = slices.Delete(s.found, 0, 1)
	}
	s.found = append(s.found, foundState{t.writer, found})
}

// foundBy returns the state that the token's writer found, or nil when it is not remembered.
func (s *sessions) foundBy(t token) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.found {
		if f.writer == t.writer {
			return f.state
		}
	}
	return nil
}

// forget forgets the older half. s.mu is held.
func (s *sessions) forget() {
	old := slices.SortedFunc(maps.Keys(s.writers), func(a, b string) int { return cmp.Compare(s.writers[a].number, s.writers[b].number) })
	for _, writer := range old[:len(old)/2] {
		s.forgotten = max(s.forgotten, s.writers[writer].number)
		delete(s.writers, writer)
	}
}

// unused reports that the token's writer has certainly stored nothing.
func (s *sessions) unused(t token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.instance == s.instance && t.number > s.forgotten && s.writers[t.writer] == nil
}

func (s *sessions) drop(t token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writers, t.writer)
	s.found = slices.DeleteFunc(s.found, func(f foundState) bool { return f.writer == t.writer })
}
