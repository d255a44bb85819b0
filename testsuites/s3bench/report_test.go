//go:build servers

package s3bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// report is what was measured, in order.
type report []*result

// print writes the tables as Markdown, two for each pair of sides.
func (r report) print(out io.Writer) {
	var pairs []pair
	for _, x := range r {
		if !slices.Contains(pairs, x.pair) {
			pairs = append(pairs, x.pair)
		}
	}
	for _, p := range pairs {
		r.printPair(out, p)
	}
}

func (r report) printPair(out io.Writer, p pair) {
	var times, costs strings.Builder
	for _, x := range r {
		if x.pair != p {
			continue
		}
		fmt.Fprintf(&times, "| %s | %s | %.2f s | %.2f s | %s | %s | %s | %s |\n", x.title, x.place, median(x.baseTime), median(x.sideTime),
			spread(x.ratio, "**"), spread(x.control, ""), bound(x.floor(x.place)), bound(x.aim))
		perUnit := 1.0
		if x.bytes > 0 {
			perUnit = float64(1<<30) / float64(x.bytes)
		} else if x.nowhereWorse {
			continue
		}
		fmt.Fprintf(&costs, "| %s | %s | %.2f s | %.2f s | %s | %s | %d MiB | %d MiB |\n", x.title, x.place, median(x.baseCPU)*perUnit, median(x.sideCPU)*perUnit,
			spread(x.ratioCPU, "**"), spread(x.controlCPU, ""), x.basePeak>>20, x.sidePeak>>20)
	}
	fmt.Fprintf(out, "\n| Work | Latency | %s | %s | Ratio | Control | Floor | Aim |\n|---|---|---|---|---|---|---|---|\n%s", p.base, p.side, &times)
	if costs.Len() > 0 {
		fmt.Fprintf(out, "\n| Work | Latency | CPU (per GiB where there are bytes), %s | CPU, %s | Ratio | Control | Most memory, %s | Most memory, %s |\n|---|---|---|---|---|---|---|---|\n%s",
			p.base, p.side, p.base, p.side, &costs)
	}
}

// spread is a median with its quartiles.
func spread(v []float64, mark string) string {
	return fmt.Sprintf("%s%.2f%s (%.2f to %.2f)", mark, median(v), mark, quartile(v, 1), quartile(v, 3))
}

func bound(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// pushed is what many layers at once took, distribution's and ours.
type pushed struct {
	layers       int
	size, budget int64
	took         []outcome
}

// String is a table.
func (p pushed) String() string {
	return fmt.Sprintf("\n| Layers at once | Budget | Most memory, Berth | Wanted | Before the first | Took | Most memory, distribution | Took |\n|---|---|---|---|---|---|---|---|\n"+
		"| %d of %d MiB | %d MiB | %d MiB | <= %d MiB | %d MiB | %.1f s | %d MiB | %.1f s |\n",
		p.layers, p.size>>20, p.budget>>20, p.took[1].Peak>>20, (p.budget+overBudget)>>20, p.took[1].Started>>20, p.took[1].Seconds, p.took[0].Peak>>20, p.took[0].Seconds)
}
