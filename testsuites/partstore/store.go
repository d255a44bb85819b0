package partstore

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what a store demands of uploads. The zero value has the limits of S3 but for the size of parts.
type Config struct {
	// MinPart and MaxPart bound a part's bytes; the last may be smaller. MaxPart 0 is no limit.
	MinPart, MaxPart int64
	// MaxParts is the highest part number; 0 is 10,000.
	MaxParts int
	// File is where contents are kept instead of in memory. The store appends to it, frees
	// nothing, and does not close it.
	File *os.File
}

// Store is the store. It is an http.Handler, and may be used concurrently.
type Store struct {
	config  Config
	receive func(r io.Reader, size int64) (content, error)

	mu      sync.Mutex
	keys    []string // of objects, ascending
	objects map[string]object
	uploads map[string]*upload // by ID
	ended   map[string]bool    // IDs
	version uint64
	served  map[Op]int
	flying  map[string]int // by upload: parts in flight
	overlap map[string]int // by key: the most parts of one upload in flight at the same time
	hook    func(context.Context, Request) *Fault
}

// object is one content. It is never changed, only replaced.
type object struct {
	content  content
	etag     string
	modified time.Time
}

type upload struct {
	key   string
	begun time.Time
	parts map[int][]object // every content stored under a number
}

// New returns an empty store.
func New(c Config) *Store {
	if c.MaxParts == 0 {
		c.MaxParts = 10_000
	}
	in := receive
	if c.File != nil {
		in = (&spool{file: c.File}).receive
	}
	return &Store{
		config: c, receive: in, objects: map[string]object{}, uploads: map[string]*upload{}, ended: map[string]bool{},
		served: map[Op]int{}, flying: map[string]int{}, overlap: map[string]int{},
	}
}

// refusal is an answer that had no effect.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// seal makes c an object with a tag of its own. s.mu is held.
func (s *Store) seal(c content) object {
	s.version++
	return object{content: c, etag: fmt.Sprintf("v%d", s.version), modified: time.Now()}
}

// place stores o under key and reports whether the key is new. s.mu is held.
func (s *Store) place(key string, o object) bool {
	_, old := s.objects[key]
	s.objects[key] = o
	if !old {
		i, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, i, key)
	}
	return !old
}

// remove removes the keys from index i on, n of them. s.mu is held.
func (s *Store) remove(i, n int) {
	for _, key := range s.keys[i : i+n] {
		delete(s.objects, key)
	}
	s.keys = slices.Delete(s.keys, i, i+n)
}

// span returns where the keys with the prefix are. s.mu is held.
func (s *Store) span(prefix string) (from, to int) {
	from, _ = slices.BinarySearch(s.keys, prefix)
	to = from
	for to < len(s.keys) && strings.HasPrefix(s.keys[to], prefix) {
		to++
	}
	return from, to
}

// validKey reports whether key may name an object.
func validKey(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if !alphanumeric(c) && c != '.' && c != '_' && c != '-' && c != '~' {
				return false
			}
		}
	}
	return true
}

func validID(id string) bool {
	for i := range len(id) {
		if !alphanumeric(id[i]) {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 64
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
