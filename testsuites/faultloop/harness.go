package faultloop

import (
	"context"
	"fmt"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// Storage is one storage that any number of Backends can be opened on.
type Storage struct {
	// Open opens another Backend on the storage, as another process would. The loop closes it.
	Open func(ctx context.Context) (storagedriver.Backend, error)
	// OpenFailing is Open for a Backend that meets Faults. nil is Open; with Faults it is needed.
	OpenFailing func(ctx context.Context) (storagedriver.Backend, error)
	// Left returns what the storage holds for the directory at path and no Backend shows, such as
	// unfinished uploads. nil is nothing.
	Left func(path string) []string
	// Faults are ways in which the storage fails towards the Backend of OpenFailing, by name. nil is none.
	Faults map[string]Inject
	// Close releases the storage. nil is nothing.
	Close func()
}

// Inject makes the n-th of the requests that come from now on fail, until undo is called, which returns
// how many there were.
type Inject func(n int64) (undo func() (seen int64))

// Harness says what to run the scenarios on.
type Harness struct {
	// Name is the driver's, for the report.
	Name string
	// New makes an empty storage. It is called for each scenario and way to fail, concurrently.
	New func(ctx context.Context) (Storage, error)
	// PartSize is the size of the parts that uploads are cut into, in bytes. The contents are a few of them
	// long. 0 is 64.
	PartSize int
	// Digests says that the backend asks for digests of parts, so that an altered part must be refused.
	Digests bool
	// Parallel is how many scenarios run at a time. 0 is 24: most wait for what hangs.
	Parallel int
	// Short leaves out ways to fail that differ little to the driver from others, for drivers whose calls
	// take long. It leaves out none of the storage's own.
	Short bool
	// Pairs has every two calls fail as well, which takes long.
	Pairs bool
	// Run selects scenarios by name. nil is all.
	Run func(scenario string) bool

	above func(storagedriver.Backend) storagedriver.Backend // put between the failures and the gate
}

// Row is what came of one scenario.
type Row struct {
	Scenario string
	// Runs is how often it ran, Faults in how many of these something failed.
	Runs, Faults int64
	// Failures are what was wrong, one line each, with the rule that led to it.
	Failures []string
}

// Report is what came of all.
type Report struct {
	Driver string
	Rows   []Row
}

// Failures returns those of all scenarios.
func (r Report) Failures() []string {
	var all []string
	for _, row := range r.Rows {
		for _, f := range row.Failures {
			all = append(all, row.Scenario+": "+f)
		}
	}
	return all
}

// Totals returns the sums over all scenarios.
func (r Report) Totals() (runs, faults int64) {
	for _, row := range r.Rows {
		runs, faults = runs+row.Runs, faults+row.Faults
	}
	return runs, faults
}

// String prints the report as a table in Markdown.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | runs | with a failure injected | broken |\n|---|---:|---:|---:|\n", r.Driver)
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", row.Scenario, row.Runs, row.Faults, len(row.Failures))
	}
	runs, faults := r.Totals()
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n", runs, faults, len(r.Failures()))
	return b.String()
}
