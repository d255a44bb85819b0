package partstore

import (
	"context"
	"maps"
	"net/http"
	"slices"
)

// Op is a kind of request.
type Op string

// The kinds of requests.
const (
	OpGet        Op = "get" // HEAD as well
	OpPut        Op = "put"
	OpCopy       Op = "copy"
	OpDelete     Op = "delete"
	OpDeleteTree Op = "delete-tree"
	OpList       Op = "list"
	OpBegin      Op = "begin"
	OpLook       Op = "look" // HEAD of an upload
	OpPart       Op = "part"
	OpGetPart    Op = "get-part"
	OpComplete   Op = "complete"
	OpAbort      Op = "abort"
	OpUploads    Op = "uploads"
)

// Request is what a hook is told of a request.
type Request struct {
	Op     Op
	Key    string
	Upload string
	Part   int
	// N counts the requests of this Op, from 1.
	N int
}

// Fault is how a request fails.
type Fault struct {
	// Status is the answer's status; 0 breaks the connection instead.
	Status int
	// Late has the request take effect first: its answer is lost.
	Late bool
}

// Intercept has hook called for every request before its body is read, on the request's goroutine; it
// may block, which ctx ends with the request. A Fault it returns makes the request fail. nil removes it.
func (s *Store) Intercept(hook func(ctx context.Context, r Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// FailNth is a hook that fails the n-th request of op from now on, counted from 1, with f.
func (s *Store) FailNth(op Op, n int, f Fault) {
	s.mu.Lock()
	nth := s.served[op] + n
	s.mu.Unlock()
	s.Intercept(func(_ context.Context, r Request) *Fault {
		if r.Op == op && r.N == nth {
			return &f
		}
		return nil
	})
}

// intercept counts the request, until leave, and asks the hook.
func (s *Store) intercept(ctx context.Context, r Request) *Fault {
	s.mu.Lock()
	s.served[r.Op]++
	r.N = s.served[r.Op]
	if r.Op == OpPart {
		s.flying[r.Upload]++
		s.overlap[r.Key] = max(s.overlap[r.Key], s.flying[r.Upload])
	}
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, r)
}

// leave is called when the request has been answered.
func (s *Store) leave(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Op == OpPart {
		if s.flying[r.Upload]--; s.flying[r.Upload] == 0 {
			delete(s.flying, r.Upload)
		}
	}
}

// fail answers as f says.
func (f *Fault) fail(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, "this request was made to fail", f.Status)
}

// Served returns how many requests of each kind there were.
func (s *Store) Served() map[Op]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.served)
}

// Overlap returns the most parts of one upload to key that were in flight at the
// same time: from the end of a part's headers to its answer, a hook's waiting included.
func (s *Store) Overlap(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overlap[key]
}

// Keys returns the keys of all objects, ascending.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// Unfinished returns the keys to which there are unfinished uploads, one for each upload, ascending.
func (s *Store) Unfinished() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []string{}
	for _, u := range s.uploads {
		keys = append(keys, u.key)
	}
	slices.Sort(keys)
	return keys
}
