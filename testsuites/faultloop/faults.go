package faultloop

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver/layers/fault"
)

// way is one way to fail.
type way struct {
	name   string
	rules  []string // with %d for the number of the call; several are those of a pair
	inject Inject   // instead of rules
	hangs  bool
	outage bool // every call from one on fails
}

// uploadsOnly are the scenarios that a stale answer must not lead astray: the writer's own. A listing or a
// Move can be no truer than what the backend says there is.
const uploadsOnly = "stale on *"

// single are the ways that one call fails, without the CALLS.
var single = []string{
	"fail before unavailable on *",
	"fail after unavailable on *",
	"fail before unavailable temporary on *",
	"fail after unavailable temporary on *",
	"hang before on *",
	"hang after on *",
	"fail body 5 unavailable on *",
	"truncate body 5 eof on *",
	"truncate body 5 unexpected-eof on *",
	"fail source 5 unavailable on *",
	"truncate source 5 eof on *",
	"truncate source 5 unexpected-eof on *",
	uploadsOnly,
}

// short are what Harness.Short leaves out: the gate and the writers see a difference, which other drivers show, but
// hardly a driver.
var short = []string{
	"fail before unavailable on *",
	"fail before unavailable temporary on *",
	"fail after unavailable temporary on *",
	"fail body 5 unavailable on *",
	"truncate body 5 unexpected-eof on *",
	"truncate source 5 unexpected-eof on *",
}

// ways returns how scenario fails on the storage of h.
func (h Harness) ways(s scenario, faults map[string]Inject) []way {
	var out []way
	for _, rule := range single {
		if rule == uploadsOnly && !s.upload || h.Short && slices.Contains(short, rule) {
			continue
		}
		out = append(out, way{name: rule, rules: []string{rule + " call %d"}, hangs: strings.HasPrefix(rule, "hang")})
	}
	for _, rule := range single[:2] {
		out = append(out, way{name: "outage: " + rule, rules: []string{rule + " calls %d-"}, outage: true})
	}
	if h.Digests {
		const rule = "corrupt source 5 on PutPart"
		out = append(out, way{name: rule, rules: []string{rule + " call %d"}})
	}
	for name, inject := range faults {
		out = append(out, way{name: name, inject: inject})
	}
	if h.Pairs {
		for _, first := range single[:4] {
			for _, second := range single[:4] {
				out = append(out, way{name: first + " and " + second, rules: []string{first + " call %d", second + " call %d"}})
			}
		}
	}
	return out
}

// at returns the rules for calls n and m; m 0 is none.
func (w way) at(n, m int64) (fault.Rules, error) {
	if len(w.rules) == 0 {
		return nil, nil
	}
	rules := []string{fmt.Sprintf(w.rules[0], n)}
	if m > 0 {
		rules = append(rules, fmt.Sprintf(w.rules[1], m))
	}
	return fault.Parse(rules...)
}

// text names the run for a failure's line.
func (w way) text(n, m int64) string {
	switch {
	case len(w.rules) == 0:
		return fmt.Sprintf("%s, request %d", w.name, n)
	case m == 0:
		return fmt.Sprintf(w.rules[0], n)
	}
	return fmt.Sprintf(w.rules[0]+" and "+w.rules[1], n, m)
}
