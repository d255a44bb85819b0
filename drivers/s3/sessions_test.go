package s3

import (
	"fmt"
	"testing"
)

func TestFoundStatesAreRememberedForTheYoungestWriters(t *testing.T) {
	s := newSessions()
	var tokens []token
	for n := range maxFound + 2 {
		tokens = append(tokens, s.token("a"))
		s.find(tokens[n], &state{Upload: fmt.Sprint(n)})
	}
	for n, token := range tokens {
		found := s.foundBy(token)
		switch {
		case n < 2 && found != nil:
			t.Errorf("writer %d of %d: want nothing remembered, got %+v", n, len(tokens), found)
		case n >= 2 && (found == nil || found.Upload != fmt.Sprint(n)):
			t.Errorf("writer %d: want the state it found, got %+v", n, found)
		}
	}
	last := tokens[len(tokens)-1]
	if !s.unused(last) {
		t.Error("want a writer that found a state to have stored nothing yet")
	}
	s.drop(last)
	if found := s.foundBy(last); found != nil {
		t.Errorf("want nothing remembered of a writer that ended, got %+v", found)
	}
}
