//go:build servers

package s3bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// pair is two sides of which one is measured beside the other.
type pair struct{ base, side string }

// work is a task, who does it, and what it must reach.
type work struct {
	task
	pair
	title string
	// bytes is the content that is moved, 0 for none: what processor time is given for.
	bytes int64
	// far and near are the ratios that must be reached at 20 ms and at none, and aim the one to be had; 0 is none.
	far, near, aim float64
	// nowhereWorse: the ratios must be near the control's at the least, and those of processor time.
	nowhereWorse bool
}

// pulls is how many times a layer is pulled, one after the other: one of 1 GiB takes a quarter of a second, of which too much is chance.
const pulls = 8

// leastOfControl is how much of the control's lower quartile every ratio must reach.
const leastOfControl = 0.95

// overBudget is what a process may take beside its writers' budget.
const overBudget = 64 << 20

// works are those of our driver beside distribution's.
func works(s sizes) []work {
	all := []work{
		s.push(2, 0, 4),
		{
			task:  task{Work: workLayers, Size: s.small, Count: s.many, AtOnce: atOnce},
			title: fmt.Sprintf("push of %d layers of %d MiB, %d at a time", s.many, s.small>>20, atOnce), bytes: s.small * int64(s.many), aim: 4,
		},
		s.pull(0, 0),
		{task: task{Work: workWalk, Count: s.walked, Dirs: treeDirs(s.walked)}, title: fmt.Sprintf("Walk of %d objects", s.walked), near: 2, far: 2, aim: 5},
		{task: task{Work: workDelete, Count: s.deleted}, title: fmt.Sprintf("Delete of %d objects", s.deleted), aim: 5},
	}
	for i := range all {
		all[i].pair, all[i].nowhereWorse = pair{sideTheirs, sideOurs}, true
	}
	return all
}

// sandboxedWorks are those of the driver in Rust, in the sandbox, beside distribution's, which is native, and beside ours.
func sandboxedWorks(s sizes) []work {
	all := []work{s.push(2, 0, 4), s.push(0.9, 0.9, 0.98), s.pull(0.9, 0.98)}
	for i := range all {
		all[i].pair = pair{sideOurs, sideSandboxed}
	}
	all[0].base = sideTheirs
	for _, place := range []struct {
		count     int
		near, far float64
	}{{s.repeats, 0.85, 0}, {s.farRepeats, 0, 0.85}} {
		all = append(all, work{
			task: task{Work: workSmall, Count: place.count}, pair: pair{sideOurs, sideSandboxed},
			title: fmt.Sprintf("%d times PutContent, Stat, GetContent, List and Delete", place.count), near: place.near, far: place.far, aim: 0.95,
		})
	}
	return all
}

func (s sizes) push(far, near, aim float64) work {
	return work{task: task{Work: workPush, Size: s.layer, Count: 1}, title: fmt.Sprintf("push of a layer of %d MiB", s.layer>>20), bytes: s.layer, far: far, near: near, aim: aim}
}

func (s sizes) pull(floor, aim float64) work {
	return work{
		task:  task{Work: workPull, Size: s.layer, Count: pulls},
		title: fmt.Sprintf("%d times pull of a layer of %d MiB", pulls, s.layer>>20), bytes: pulls * s.layer,
		far: floor, near: floor, aim: aim,
	}
}

// result is what the rounds of a work gave. Times and processor times are the base's, twice, and the side's.
type result struct {
	work
	place                string
	baseTime, sideTime   []float64
	ratio, control       []float64 // of times
	baseCPU, sideCPU     []float64
	ratioCPU, controlCPU []float64
	basePeak, sidePeak   int64
}

// beside measures rounds of the base, the side and the base, in an order that is drawn.
func (b *bench) beside(t testing.TB, w work, place string) {
	r := &result{work: w, place: place}
	for round := range b.rounds {
		var took [3]outcome
		for _, i := range rand.Perm(len(took)) {
			side := [3]string{w.base, w.side, w.base}[i]
			var err error
			if took[i], err = b.once(t.Context(), w, side, place); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(os.Stderr, "%s, %s, round %d of %d: %s %.2f s, %.2f s of CPU, %d MiB\n", w.Work, place, round+1, b.rounds, side, took[i].Seconds, took[i].CPU, took[i].Peak>>20)
		}
		r.add(took)
	}
	b.report = append(b.report, r)
	if bench, ok := t.(*testing.B); ok {
		bench.ReportMetric(median(r.ratio), "ratio")
		bench.ReportMetric(median(r.control), "control")
	}
	if b.floors {
		r.hold(t)
	}
}

// once does a task with all that it needs, and removes what it leaves.
func (b *bench) once(ctx context.Context, w work, side, place string) (outcome, error) {
	t, err := b.by(ctx, side, w.task)
	if err != nil {
		return outcome{}, err
	}
	b.last++
	t.Name = fmt.Sprintf("task%d", b.last)
	root := "/" + t.Name
	switch w.Work {
	case workWalk, workPull:
		root = "/" + w.Work
		t.Name = w.Work
	}
	t.Parameters = b.parametersAt(place, root)
	if err := b.prepare(ctx, t, root); err != nil {
		return outcome{}, fmt.Errorf("preparing %s: %w", t.Work, err)
	}
	if *profile != "" && side == w.side {
		t.Profile = filepath.Join(*profile, fmt.Sprintf("%s-%s-%d.pprof", w.Work, place, b.last))
	}
	out, err := t.run(ctx)
	if err != nil || w.Work == workWalk || w.Work == workPull {
		return out, err
	}
	return out, b.tidy(ctx, t, root)
}

// prepare makes what a task finds. What is only read is made once.
func (b *bench) prepare(ctx context.Context, t task, root string) (err error) {
	in := func(path func(int) string) func(int) string { return func(n int) string { return root + path(n) } }
	switch t.Work {
	case workWalk:
		b.tree.Do(func() { err = populate(ctx, b.clean, t.Count, in(treeObject)) })
	case workDelete:
		err = populate(ctx, b.clean, t.Count, in(goneObject(t.Name)))
	case workPull:
		b.blob.Do(func() {
			err = written(ctx, b.clean, root+blob(t.Name, 0), false, func(w fileWriter) error {
				if err := pour(w, t.Size); err != nil {
					return err
				}
				return w.Commit(ctx)
			})
		})
	}
	return err
}

// tidy checks what a task has made and removes it.
func (b *bench) tidy(ctx context.Context, t task, root string) error {
	if t.Work == workDelete || t.Work == workSmall {
		left, err := b.clean.List(ctx, root)
		if err == nil || !absent(err) {
			return errors.Join(err, fmt.Errorf("%s by %s leaves %q", t.Work, t.Side, left))
		}
		return nil
	}
	for n := range t.Count {
		if err := is(ctx, b.clean, root+blob(t.Name, n), t.Size); err != nil {
			return fmt.Errorf("%s by %s: %w", t.Work, t.Side, err)
		}
	}
	return b.clean.Delete(ctx, root)
}

func (r *result) add(took [3]outcome) {
	first, side, second := took[0], took[1], took[2]
	base := (first.Seconds + second.Seconds) / 2
	r.baseTime, r.sideTime = append(r.baseTime, base), append(r.sideTime, side.Seconds)
	r.ratio, r.control = append(r.ratio, base/side.Seconds), append(r.control, first.Seconds/second.Seconds)
	cpu := (first.CPU + second.CPU) / 2
	r.baseCPU, r.sideCPU = append(r.baseCPU, cpu), append(r.sideCPU, side.CPU)
	r.ratioCPU, r.controlCPU = append(r.ratioCPU, cpu/side.CPU), append(r.controlCPU, first.CPU/second.CPU)
	r.basePeak, r.sidePeak = max(r.basePeak, first.Peak, second.Peak), max(r.sidePeak, side.Peak)
}

// floor is the ratio of times that must be reached.
func (w work) floor(place string) float64 {
	if place == places[0] {
		return w.near
	}
	return w.far
}

// hold fails for every floor that was not reached.
func (r *result) hold(t testing.TB) {
	t.Helper()
	name := r.side + " beside " + r.base + ", " + r.title + " at " + r.place
	if got, want := median(r.ratio), r.floor(r.place); got < want {
		t.Errorf("%s: the ratio is %.2f, and the floor %.2f", name, got, want)
	}
	if !r.nowhereWorse {
		return
	}
	if got, want := median(r.ratio), leastOfControl*quartile(r.control, 1); got < want {
		t.Errorf("%s: the ratio is %.2f, less than 0.95 of the control's lower quartile, %.2f", name, got, want)
	}
	if r.bytes == 0 {
		return
	}
	if got, want := median(r.ratioCPU), leastOfControl*quartile(r.controlCPU, 1); got < want {
		t.Errorf("%s: the ratio of processor time is %.2f, less than 0.95 of the control's lower quartile, %.2f", name, got, want)
	}
}

func median(v []float64) float64 { return quartile(v, 2) }

func quartile(v []float64, n int) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[(len(s)-1)*n/4]
}

// memory measures the most that a process takes which pushes every layer at once, so that the writers' budget is all in use.
func (b *bench) memory(t testing.TB, budget int64) {
	w := work{pair: pair{sideTheirs, sideOurs}, task: task{Work: workLayers, Size: b.small, Count: b.many, AtOnce: b.many, Budget: budget}}
	p := pushed{layers: b.many, size: b.small, budget: budget}
	for _, side := range []string{w.base, w.side} {
		out, err := b.once(t.Context(), w, side, "20ms")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "memory, budget %d MiB: %s %.2f s, %d MiB, of which %d MiB before the first layer\n", budget>>20, side, out.Seconds, out.Peak>>20, out.Started>>20)
		p.took = append(p.took, out)
	}
	fmt.Print(p)
	if peak := p.took[1].Peak; b.floors && peak > budget+overBudget {
		t.Errorf("%d layers at once took %d MiB, and may take %d", b.many, peak>>20, (budget+overBudget)>>20)
	}
}
