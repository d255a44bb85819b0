package fault

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
)

// call is one call of the backend, with the rules that act on it.
type call struct {
	acting []*Rule
}

// begin counts the call and finds its rules.
func (b *backend) begin(op operation, paths ...string) *call {
	c := &call{}
	for _, r := range b.rules {
		if !r.operations.has(op) || !matches(r.pattern, paths) {
			continue
		}
		if r.calls.include(r.seen.Add(1)) {
			c.acting = append(c.acting, r)
		}
	}
	return c
}

// at returns the acting rules that are about a body or a source.
func (c *call) at(m moment) []*Rule {
	var rules []*Rule
	for _, r := range c.acting {
		if r.moment == m {
			rules = append(rules, r)
		}
	}
	return rules
}

// source is what the backend is given instead of s, which may be nil.
func (c *call) source(s storagedriver.Source) storagedriver.Source {
	rules := c.at(source)
	if s == nil || len(rules) == 0 {
		return s
	}
	return &faultySource{next: s, rules: rules}
}

func (c *call) before(ctx context.Context) error {
	for _, r := range c.acting {
		if r.effect == slow && r.moment == before {
			r.fired.Add(1)
			if err := wait(ctx, r.pause); err != nil {
				return err
			}
		}
	}
	return c.end(ctx, before)
}

func (c *call) after(ctx context.Context) error { return c.end(ctx, after) }

// end ends the call if a rule wants that now.
func (c *call) end(ctx context.Context, m moment) error {
	for _, r := range c.acting {
		if r.moment != m || r.effect != fail && r.effect != hang {
			continue
		}
		r.fired.Add(1)
		if r.effect == fail {
			return r.err()
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// run is a call with nothing but an error for an answer.
func (c *call) run(ctx context.Context, f func() error) error {
	if err := c.before(ctx); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return c.after(ctx)
}

// result is run for a call with an answer, which is lost with an error.
func result[T any](ctx context.Context, c *call, f func() (T, error)) (T, error) {
	var answer, none T
	err := c.run(ctx, func() (err error) {
		answer, err = f()
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
