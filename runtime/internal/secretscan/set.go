package secretscan

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
)

// Set is secrets to look for. It is constant and may be used concurrently. A nil Set has none.
//
// What is searched may come from somebody who wants to learn the secrets and can measure how long that takes, so its
// content must not decide how fast it goes. A block at every so many bytes is hashed with numbers that nobody knows, and only
// where it is one from the last bytes of a pattern is that compared: who has no such block has nothing to measure.
// Searches that skip as the content allows, or keep state where a pattern begins, tell by their speed which bytes those are.
type Set struct {
	patterns []pattern
	most     int // bytes of the longest pattern
	block    int // bytes of a block
	step     int // from one block to the next
	keys     [2]uint64
	heads    [1 << headBits]int32 // by the first bits of a block's hash: one of entries and 1, or 0
	entries  []entry
	folded   func() *Set
}

type pattern struct {
	text   []byte
	secret int // which of New's
	form   string
}

// entry is one block of a pattern.
type entry struct {
	hash    uint64
	pattern int32
	at      int32 // where in the pattern
	next    int32 // as in heads
}

const (
	headBits = 12 // the table stays in the processor's first cache
	maxBlock = 16
	maxStep  = 32
)

// New returns the Set of the secrets in all their forms. Those shorter than MinSecret are left out; without any other it
// is nil.
func New(secrets []string) *Set {
	var patterns []pattern
	for i, secret := range secrets {
		if len(secret) < MinSecret {
			continue
		}
		for _, f := range Forms(secret) {
			patterns = append(patterns, pattern{text: []byte(f.Text), secret: i, form: f.Name})
		}
	}
	return newSet(patterns)
}

func newSet(patterns []pattern) *Set {
	if len(patterns) == 0 {
		return nil
	}
	s := &Set{patterns: patterns, keys: [2]uint64{rand.Uint64(), rand.Uint64()}}
	least := math.MaxInt
	for _, p := range patterns {
		least, s.most = min(least, len(p.text)), max(s.most, len(p.text))
	}
	s.block = min(MinSecret+(least-MinSecret)/2, maxBlock) // longer ones are harder to guess, and leave less to step over
	s.step = min(least-s.block+1, maxStep)
	for i, p := range patterns {
		for at := len(p.text) - s.block - s.step + 1; at+s.block <= len(p.text); at++ {
			h := s.hash(p.text[at:])
			head := &s.heads[h>>(64-headBits)]
			s.entries = append(s.entries, entry{h, int32(i), int32(at), *head})
			*head = int32(len(s.entries))
		}
	}
	s.folded = sync.OnceValue(s.fold)
	return s
}

func (s *Set) fold() *Set {
	lower := make([]pattern, len(s.patterns))
	for i, p := range s.patterns {
		lower[i] = pattern{text: bytes.ToLower(p.text), secret: p.secret, form: p.form}
	}
	return newSet(lower)
}

// hash is of the block that b begins with.
func (s *Set) hash(b []byte) uint64 {
	high, low := bits.Mul64(binary.LittleEndian.Uint64(b)^s.keys[0], binary.LittleEndian.Uint64(b[s.block-8:])^s.keys[1])
	return high ^ low
}

// Keep is how many bytes at the end of data may belong to a secret that goes on after it, in any form: one byte less
// than the longest.
func (s *Set) Keep() int {
	if s == nil {
		return 0
	}
	return s.most - 1
}

// Shows tells whether data has a secret in it.
func (s *Set) Shows(data []byte) bool {
	if s == nil {
		return false
	}
	at, _ := s.search(data)
	return at >= 0
}

// ShowsFolded is Shows where the case of letters has been changed, as it is in the names of headers.
func (s *Set) ShowsFolded(text string) bool {
	if s == nil || len(text) < MinSecret {
		return false
	}
	return s.folded().Shows([]byte(strings.ToLower(text)))
}

// Find returns where in data a secret is, which of New's it is, and in which form. secret is -1 when there is none.
func (s *Set) Find(data []byte) (secret, at int, form string) {
	if s == nil {
		return -1, 0, ""
	}
	at, p := s.search(data)
	if p == nil {
		return -1, 0, ""
	}
	return p.secret, at, p.form
}

// search returns where in data a pattern is and which; -1 if there is none.
func (s *Set) search(data []byte) (int, *pattern) {
	for i := 0; i+s.block <= len(data); i += s.step {
		h := s.hash(data[i:])
		for e := s.heads[h>>(64-headBits)]; e != 0; e = s.entries[e-1].next {
			if at, p := s.compare(data, i, h, &s.entries[e-1]); p != nil {
				return at, p
			}
		}
	}
	return -1, nil
}

// compare returns the pattern of e if it is in data so that e is the block at i, where the hash is h.
func (s *Set) compare(data []byte, i int, h uint64, e *entry) (int, *pattern) {
	p := &s.patterns[e.pattern]
	if begin := i - int(e.at); h == e.hash && begin >= 0 && bytes.HasPrefix(data[begin:], p.text) {
		return begin, p
	}
	return -1, nil
}
