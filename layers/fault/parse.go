package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Parse reads rules as the package's documentation describes them. An error is
// KindInvalidArgument, names the rule and the word, and lists what is allowed there.
func Parse(rules ...string) (Rules, error) {
	out := make(Rules, 0, len(rules))
	for i, text := range rules {
		p := &parser{words: strings.Fields(text)}
		r, err := p.rule()
		if err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "rule %d, %q: %w", i+1, text, err)
		}
		out = append(out, r)
	}
	return out, nil
}

type parser struct {
	words []string
	at    int
}

// peek returns the next word, or "" at the end.
func (p *parser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

// accept takes the next word if it is this one.
func (p *parser) accept(word string) bool {
	if p.peek() != word {
		return false
	}
	p.at++
	return true
}

// refuse is the error of the next word.
func (p *parser) refuse(what, allowed string) error {
	word := "it ends there"
	if next := p.peek(); next != "" {
		word = strconv.Quote(next) + " is none"
	}
	return fmt.Errorf("%s is wanted and %s; allowed: %s", what, word, allowed)
}

// choose takes one of the names.
func (p *parser) choose(what string, names []string) (int, error) {
	i := slices.Index(names, p.peek())
	if i < 0 {
		return 0, p.refuse(what, strings.Join(names, ", "))
	}
	p.at++
	return i, nil
}

func (p *parser) rule() (*Rule, error) {
	i, err := p.choose("an effect", effectNames)
	if err != nil {
		return nil, err
	}
	r := &Rule{effect: effect(i), calls: calls{first: 1}}
	for _, step := range []func(*Rule) error{p.effect, p.operations, p.pattern, p.calls} {
		if err := step(r); err != nil {
			return nil, err
		}
	}
	if p.at < len(p.words) {
		return nil, p.refuse("the end of the rule", "at PATTERN, and then call N, calls N-, calls N-M or every N")
	}
	return r, nil
}

// effect reads what follows the effect's name.
func (p *parser) effect(r *Rule) (err error) {
	switch r.effect {
	case fail:
		if err := p.moment(r, momentNames); err != nil {
			return err
		}
		return p.failure(r)
	case hang:
		return p.moment(r, momentNames)
	case corrupt:
		return p.moment(r, momentNames[body:])
	case truncate:
		if err := p.moment(r, momentNames[body:]); err != nil {
			return err
		}
		if r.unexpected = p.accept(endNames[true]); !r.unexpected {
			p.accept(endNames[false])
		}
	case slow:
		return p.slow(r)
	}
	return nil
}

// moment reads one of the names, which end momentNames.
func (p *parser) moment(r *Rule, names []string) error {
	i, err := p.choose("a moment", names)
	if err != nil {
		return err
	}
	if r.moment = moment(i + len(momentNames) - len(names)); r.moment < body {
		return nil
	}
	r.bytes, err = p.number("a number of bytes", 0)
	return err
}

func (p *parser) number(what string, least int64) (int64, error) {
	n, ok := number(p.peek(), least)
	if !ok {
		return 0, p.refuse(what, "an integer from "+strconv.FormatInt(least, 10)+" on")
	}
	p.at++
	return n, nil
}

func number(word string, least int64) (int64, bool) {
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil && n >= least && word[0] != '+'
}

func (p *parser) failure(r *Rule) error {
	r.kind = storagedriver.KindUnavailable
	for k := range storagedriver.NumKinds {
		if p.peek() == kindWord(k) {
			r.kind = k
			p.at++
			break
		}
	}
	r.temporary = p.accept("temporary")
	if p.accept("retry-after") {
		var err error
		r.retryAfter, err = p.duration()
		return err
	}
	if p.peek() != "on" {
		var kinds []string
		for k := range storagedriver.NumKinds {
			kinds = append(kinds, kindWord(k))
		}
		return p.refuse("a kind of error, temporary, retry-after or on", strings.Join(kinds, ", "))
	}
	return nil
}

func (p *parser) duration() (time.Duration, error) {
	d, err := time.ParseDuration(p.peek())
	if err != nil || d <= 0 {
		return 0, p.refuse("a pause", "a duration above 0, as in 50ms or 2s")
	}
	p.at++
	return d, nil
}

func (p *parser) slow(r *Rule) (err error) {
	if word := p.peek(); word != momentNames[body] && word != momentNames[source] {
		if r.pause, err = p.duration(); err != nil {
			return p.refuse("a pause, body or source", "a duration above 0 as in 50ms, body RATE, source RATE")
		}
		return nil
	}
	i, err := p.choose("a moment", momentNames)
	if err != nil {
		return err
	}
	r.moment = moment(i)
	text, ok := strings.CutSuffix(p.peek(), "/s")
	if ok {
		r.rate, ok = number(text, 1)
	}
	if !ok {
		return p.refuse("a rate", "bytes a second, as in 4096/s")
	}
	p.at++
	return nil
}

func (p *parser) operations(r *Rule) error {
	if !p.accept("on") {
		return p.refuse("on with operations", "on OPERATION,OPERATION or on *")
	}
	possible := r.possible()
	if p.accept("*") {
		r.operations = star(possible)
		return nil
	}
	for name := range strings.SplitSeq(p.peek(), ",") {
		i := slices.Index(operationNames, name)
		if i < 0 || !possible.has(1<<i) {
			return p.refuse("an operation that this effect can apply to", "*, "+strings.Join(possible.names(), ", "))
		}
		r.operations |= 1 << i
	}
	p.at++
	return nil
}

func (p *parser) pattern(r *Rule) error {
	if !p.accept("at") {
		return nil
	}
	if r.pattern = p.peek(); !validPattern(r.pattern) {
		return p.refuse("a pattern of paths", "an absolute path whose components may have *, ? and [a-z], or be **")
	}
	p.at++
	return nil
}

func (p *parser) calls(r *Rule) (err error) {
	const allowed = "call N, calls N-, calls N-M, every N, counted from 1"
	switch {
	case p.accept("call"):
		r.calls.first, err = p.number("the number of a call", 1)
		r.calls.last = r.calls.first
	case p.accept("every"):
		r.calls.every, err = p.number("a number of calls", 1)
	case p.accept("calls"):
		first, last, ok := strings.Cut(p.peek(), "-")
		if ok {
			r.calls.first, ok = number(first, 1)
		}
		if ok && last != "" {
			r.calls.last, ok = number(last, r.calls.first)
		}
		if !ok {
			return p.refuse("a range of calls", allowed)
		}
		p.at++
	}
	return err
}
