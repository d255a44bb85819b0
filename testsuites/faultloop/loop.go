package faultloop

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/fault"
	"golang.org/x/sync/errgroup"
)

const (
	// maxCalls bounds a loop: no scenario makes so many calls.
	maxCalls = 2000
	// hangTimeout is what a writer's suspend has where a call hangs in it. Nothing else needs so
	// long; and if it does, the error says so, which is right as well.
	hangTimeout = 200 * time.Millisecond
	// outageTimeout is the same where every call is answered with an error, and repeated for so long.
	outageTimeout = 40 * time.Millisecond
)

// scenario is something that is done to a driver, and looked at afterwards.
type scenario struct {
	name   string
	upload bool // it is about one upload, and no listing of what is public
	// prepare makes what must be there, without failures.
	prepare func(r *run)
	// act does it through r.faulty, and compares what was answered with what r.clean shows.
	act func(r *run)
}

// Run runs the scenarios. It returns when all is over and closed.
func Run(ctx context.Context, h Harness) Report {
	if h.PartSize == 0 {
		h.PartSize = 64
	}
	var group errgroup.Group
	group.SetLimit(cmp.Or(h.Parallel, 24))
	report := Report{Driver: h.Name}
	var mu sync.Mutex
	rows := map[string]*Row{}
	for _, s := range scenarios() {
		if h.Run != nil && !h.Run(s.name) {
			continue
		}
		row := &Row{Scenario: s.name}
		rows[s.name] = row
		probe, err := h.New(ctx)
		if err != nil {
			row.Failures = append(row.Failures, "the storage cannot be opened: "+err.Error())
			continue
		}
		faults := probe.Faults
		probe.close()
		for _, w := range h.ways(s, faults) {
			group.Go(func() error {
				l := &loop{h: h, scenario: s, way: w, budget: chunked.NewBudget(int64(16 * h.PartSize))}
				l.run(ctx)
				mu.Lock()
				defer mu.Unlock()
				row.Runs, row.Faults, row.Failures = row.Runs+l.runs, row.Faults+l.faults, append(row.Failures, l.failures...)
				return nil
			})
		}
	}
	_ = group.Wait() // no loop returns an error
	for _, s := range scenarios() {
		if row := rows[s.name]; row != nil {
			slices.Sort(row.Failures)
			report.Rows = append(report.Rows, *row)
		}
	}
	return report
}

func (s Storage) close() {
	if s.Close != nil {
		s.Close()
	}
}

// loop is one scenario failing in one way.
type loop struct {
	h        Harness
	scenario scenario
	way      way
	budget   *chunked.Budget

	storage       Storage
	first, second storagedriver.Backend // what meets failures, and what looks
	runs, faults  int64
	failures      []string
}

func (l *loop) run(ctx context.Context) {
	var err error
	if l.storage, err = l.h.New(ctx); err != nil {
		l.fail("the storage cannot be opened: %v", err)
		return
	}
	defer l.storage.close()
	open := l.storage.OpenFailing
	if open == nil {
		open = l.storage.Open
	}
	if l.first, err = open(ctx); err != nil {
		l.fail("the backend cannot be opened: %v", err)
		return
	}
	defer l.closed(l.first)
	if l.second, err = l.storage.Open(ctx); err != nil {
		l.fail("the backend cannot be opened: %v", err)
		return
	}
	defer l.closed(l.second)
	for n := int64(1); l.once(ctx, n, 0); n++ {
		if len(l.way.rules) < 2 {
			continue
		}
		for m := n + 1; l.once(ctx, n, m); m++ {
			if len(l.failures) > 0 {
				return
			}
		}
	}
}

func (l *loop) closed(b storagedriver.Backend) {
	if err := b.Close(); err != nil {
		l.fail("Close of the backend: %v", err)
	}
}

func (l *loop) fail(format string, args ...any) {
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

// once is one run. It returns whether the loop goes on: there was a call to fail, and nothing
// was wrong.
func (l *loop) once(ctx context.Context, n, m int64) bool {
	if l.way.inject != nil {
		// The way was made for the storage of a probe; this is the same one here.
		l.way.inject = l.storage.Faults[l.way.name]
	}
	rules, err := l.way.at(n, m)
	if err != nil {
		l.fail("%v", err)
		return false
	}
	r := &run{
		base: ctx, loop: l, rules: rules, dir: fmt.Sprintf("/run-%d-%d", n, m), handles: &handles{Backend: l.first},
		budget: l.budget, partSize: l.h.PartSize,
	}
	options := []layers.Option{layers.WithBudget(r.budget), layers.WithPartSize(int64(r.partSize))}
	r.clean = layers.Complete(l.second, options...)
	switch {
	case l.way.hangs:
		options = append(options, layers.WithSuspendTimeout(hangTimeout))
	case l.way.outage:
		options = append(options, layers.WithSuspendTimeout(outageTimeout))
	}
	failing := fault.New(r.handles, rules)
	if l.h.above != nil {
		failing = l.h.above(failing)
	}
	r.faulty = layers.Complete(failing, options...)
	problem := r.whole(n)
	l.runs++
	if r.fired() {
		l.faults++
	}
	if problem != "" {
		l.fail("%s: %s", l.way.text(n, m), problem)
		return false
	}
	last := rules[max(0, len(rules)-1):]
	if n >= maxCalls || m >= maxCalls {
		l.fail("%s: the loop does not end", l.way.text(n, m))
		return false
	}
	if len(last) == 1 {
		return last[0].Seen() >= max(n, m)
	}
	return r.seen >= n
}
