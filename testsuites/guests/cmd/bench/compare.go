package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// comparisons prints the table of pairs.
func comparisons(ctx context.Context, e *environment, o options) error {
	if err := prepare(ctx, e.sides[0], e.content); err != nil {
		return err
	}
	rounds, bulkRounds, slice := 15, 21, 250*time.Millisecond
	if o.quick {
		rounds, bulkRounds, slice = 3, 3, 100*time.Millisecond
	}
	header := false
	for _, w := range works(e.content) {
		label := fmt.Sprintf("%s, callers %d", w.name, w.callers)
		if !o.run.MatchString(label) {
			continue
		}
		if !header {
			fmt.Printf("\n| Work | Callers | Native | Wasm | Wasm / native | Control (native / native) | Floor | CPU each, native | CPU each, wasm |\n|---|---|---|---|---|---|---|---|---|\n")
			header = true
		}
		n := rounds
		if w.bulk {
			n = bulkRounds
		}
		fmt.Fprintf(os.Stderr, "%s: %d rounds\n", label, n)
		r, err := compare(ctx, e.sides, &w, n, slice)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %.0f %s | %.0f %s | **%.2f** (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.2f | %.0f µs | %.0f µs |\n", w.name, w.callers,
			median(r.native), w.unit, median(r.wasm), w.unit, median(r.ratio), quartile(r.ratio, 1), quartile(r.ratio, 3),
			median(r.control), quartile(r.control, 1), quartile(r.control, 3), w.floor,
			median(r.nativeCPU), median(r.wasmCPU))
	}
	return nil
}

// result is what the rounds gave.
type result struct{ native, wasm, ratio, control, nativeCPU, wasmCPU []float64 }

// compare measures the three sides, the middle one between the two that are alike.
func compare(ctx context.Context, s sides, w *work, rounds int, slice time.Duration) (result, error) {
	var r result
	for round := range rounds + 1 { // the first warms up
		var rates [3]measured
		runtime.GC() // a round does not pay for the one before
		for i := range rates {
			// wasm stays between the two natives, so that what drifts falls on both.
			at := i
			if round%2 == 1 {
				at = len(rates) - 1 - i
			}
			var err error
			if rates[at], err = w.measure(ctx, s[at], slice); err != nil {
				return r, fmt.Errorf("%s: %w", s[at].name, err)
			}
			if err := ctx.Err(); err != nil {
				return r, err
			}
		}
		if round == 0 {
			continue
		}
		both := (rates[0].rate + rates[2].rate) / 2
		r.native = append(r.native, both)
		r.wasm = append(r.wasm, rates[1].rate)
		r.ratio = append(r.ratio, rates[1].rate/both)
		r.control = append(r.control, rates[2].rate/rates[0].rate)
		r.nativeCPU = append(r.nativeCPU, (rates[0].cpu+rates[2].cpu)/2)
		r.wasmCPU = append(r.wasmCPU, rates[1].cpu)
	}
	return r, nil
}

func median(v []float64) float64 { return quartile(v, 2) }

func quartile(v []float64, n int) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[(len(s)-1)*n/4]
}

// profile runs one side of what is selected for some seconds each.
func profile(ctx context.Context, e *environment, o options) (err error) {
	if err := prepare(ctx, e.sides[0], e.content); err != nil {
		return err
	}
	d := e.sides[0]
	if o.side == "wasm" {
		d = e.sides[1]
	}
	f, err := os.Create(o.profile)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for _, w := range works(e.content) {
		if !o.run.MatchString(fmt.Sprintf("%s, callers %d", w.name, w.callers)) {
			continue
		}
		for begin := time.Now(); time.Since(begin) < 5*time.Second; {
			m, err := w.measure(ctx, d, time.Second)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s, callers %d: %.0f %s, %.0f µs of CPU each\n", w.name, w.callers, m.rate, w.unit, m.cpu)
		}
	}
	return nil
}
