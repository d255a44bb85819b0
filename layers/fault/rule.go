package fault

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Rules are what [New] injects. They may be used by several backends at a time, whose calls
// they then count together.
type Rules []*Rule

// String prints the rules, one a line, as Parse reads them.
func (r Rules) String() string {
	lines := make([]string, len(r))
	for i, rule := range r {
		lines[i] = rule.String()
	}
	return strings.Join(lines, "\n")
}

// Rule is one rule, with its counters. It may be used concurrently.
type Rule struct {
	effect     effect
	moment     moment
	bytes      int64 // of the moments body and source
	unexpected bool  // truncate: with io.ErrUnexpectedEOF
	kind       storagedriver.Kind
	temporary  bool
	retryAfter time.Duration
	pause      time.Duration // slow
	rate       int64         // slow, in bytes a second
	operations operations
	pattern    string // "" is every path
	calls      calls

	seen, fired atomic.Int64
}

// Seen returns how many calls matched the rule's operations and pattern, whether or not it acted on them.
func (r *Rule) Seen() int64 { return r.seen.Load() }

// Fired returns how often the rule acted: a body that was too short to be cut, an effect that failed by
// itself and so had no answer to lose, and a first question that has no stale answer, are not counted.
func (r *Rule) Fired() int64 { return r.fired.Load() }

type effect int

const (
	fail effect = iota
	hang
	truncate
	corrupt
	slow
	stale
)

var effectNames = []string{"fail", "hang", "truncate", "corrupt", "slow", "stale"}

type moment int

const (
	before moment = iota
	after
	body
	source
)

var momentNames = []string{"before", "after", "body", "source"}

// calls are which of those that match a rule acts on.
type calls struct {
	first, last int64 // last 0: no end
	every       int64 // 0: not used
}

func (c calls) include(n int64) bool {
	if c.every > 0 {
		return n%c.every == 0
	}
	return n >= c.first && (c.last == 0 || n <= c.last)
}

func (c calls) String() string {
	switch {
	case c.every > 1:
		return fmt.Sprintf(" every %d", c.every)
	case c.every == 1 || c.first == 1 && c.last == 0:
		return ""
	case c.last == 0:
		return fmt.Sprintf(" calls %d-", c.first)
	case c.first == c.last:
		return fmt.Sprintf(" call %d", c.first)
	}
	return fmt.Sprintf(" calls %d-%d", c.first, c.last)
}

// String prints the rule as Parse reads it.
func (r *Rule) String() string {
	words := []string{effectNames[r.effect]}
	switch r.effect {
	case fail:
		words = append(words, r.when(), kindWord(r.kind))
		if r.temporary {
			words = append(words, "temporary")
		}
		if r.retryAfter > 0 {
			words = append(words, "retry-after", r.retryAfter.String())
		}
	case hang, corrupt:
		words = append(words, r.when())
	case truncate:
		words = append(words, r.when(), endNames[r.unexpected])
	case slow:
		if r.moment == before {
			words = append(words, r.pause.String())
			break
		}
		words = append(words, momentNames[r.moment], strconv.FormatInt(r.rate, 10)+"/s")
	}
	words = append(words, "on", r.operations.text(r.possible()))
	if r.pattern != "" {
		words = append(words, "at", r.pattern)
	}
	return strings.Join(words, " ") + r.calls.String()
}

var endNames = map[bool]string{false: "eof", true: "unexpected-eof"}

// when prints the moment.
func (r *Rule) when() string {
	if r.moment == body || r.moment == source {
		return momentNames[r.moment] + " " + strconv.FormatInt(r.bytes, 10)
	}
	return momentNames[r.moment]
}

// possible returns the operations to which the effect can apply.
func (r *Rule) possible() operations {
	switch {
	case r.effect == stale:
		return withAnswer
	case r.moment == body:
		return withBody
	case r.moment == source:
		return withSource
	case r.effect == fail:
		return all
	}
	return all &^ operations(opClose) // it has no context to end
}

// err is the error of a rule that fails.
func (r *Rule) err() error {
	e := storagedriver.Errorf(r.kind, "injected by the rule %q", r.String())
	e.Temporary, e.RetryAfter = r.temporary, r.retryAfter
	return e
}

func kindWord(k storagedriver.Kind) string { return strings.ReplaceAll(k.String(), " ", "-") }
