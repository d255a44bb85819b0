package testsuites_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// mutant is a driver that is wrong in one thing, with the cases that must see it.
type mutant struct {
	name   string
	caught []string
	// inject makes d wrong. good is what d is but for that. It is called for each driver that is opened.
	inject func(d *broken, good storagedriver.StorageDriver)
}

func mutants() []mutant {
	return slices.Concat(
		contentMutants(), storeMutants(), readerMutants(), treeMutants(), listMutants(), moveMutants(),
		walkMutants(), walkTreeMutants(), walkHintMutants(), cacheMutants(), placeMutants(),
		errorMutants(), driverMutants(), contextMutants(),
		writerMutants(), uploadMutants(), stateMutants(), suspendMutants(), cancelMutants(), endingMutants(), raceMutants(), crowdMutants(),
	)
}

// backendMutant is a backend that is wrong in one thing below a gate that is right.
type backendMutant struct {
	name   string
	caught []string
	inject func(b *brokenBackend, good storagedriver.Backend)
}

// onInmemory returns a Harness of drivers over one store in memory that are wrong as inject makes them.
func onInmemory(inject func(d *broken, good storagedriver.StorageDriver)) testsuites.Harness {
	return mutated(over(inmemory.New()), inject)
}

func mutated(h testsuites.Harness, inject func(d *broken, good storagedriver.StorageDriver)) testsuites.Harness {
	open := func(good storagedriver.StorageDriver, budget int64) storagedriver.StorageDriver {
		d := &broken{StorageDriver: good, budget: budget}
		inject(d, good)
		return d
	}
	right := h
	h.New = func(t testsuites.T) storagedriver.StorageDriver { return open(right.New(t), 0) }
	h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
		return open(right.NewWithBudget(t, bytes), bytes)
	}
	return h
}

// TestMutantsAreCaught runs on each mutant of the inmemory driver the cases that must see it.
func TestMutantsAreCaught(t *testing.T) {
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			wantCaught(t, onInmemory(m.inject), m.caught)
		})
	}
}

// TestBackendMutantsAreCaught is TestMutantsAreCaught of what is wrong below the gate.
func TestBackendMutantsAreCaught(t *testing.T) {
	for _, m := range backendMutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			good := inmemory.New()
			open := func(options ...layers.Option) storagedriver.StorageDriver {
				b := &brokenBackend{Backend: good}
				m.inject(b, good)
				return layers.Complete(b, append(options, layers.WithPartSize(partSize))...)
			}
			wantCaught(t, testsuites.Harness{
				New: func(testsuites.T) storagedriver.StorageDriver { return open() },
				NewWithBudget: func(_ testsuites.T, bytes int64) storagedriver.StorageDriver {
					return open(layers.WithBudget(chunked.NewBudget(bytes)))
				},
				PartSize: partSize,
			}, m.caught)
		})
	}
}

// TestRedirectMutantsAreCaught is TestMutantsAreCaught where there are redirects.
func TestRedirectMutantsAreCaught(t *testing.T) {
	for _, m := range redirectMutants() {
		t.Run(m.name, func(t *testing.T) {
			wantCaught(t, mutated(onModel(t, storagedriver.AbilityRedirect), m.inject), m.caught)
		})
	}
}

// onModel returns a Harness of drivers on one store of the model.
func onModel(t *testing.T, abilities storagedriver.Ability) testsuites.Harness {
	open, stop := newModel(abilities)
	t.Cleanup(stop)
	return testsuites.Harness{
		New:           func(testsuites.T) storagedriver.StorageDriver { return open() },
		NewWithBudget: func(testsuites.T, int64) storagedriver.StorageDriver { return open() },
		PartSize:      partSize,
	}
}

// wantCaught wants each of the cases to fail, with a reason.
func wantCaught(t *testing.T, h testsuites.Harness, cases []string) {
	t.Helper()
	h.Run, h.Timeout = strings.Join(cases, ","), 5*time.Second
	result := testsuites.RunAll(t.Context(), h, nil)
	if result.Err != nil || len(result.Cases) != len(cases) {
		t.Fatalf("want %d cases to run, got %d (%v)", len(cases), len(result.Cases), result.Err)
	}
	for _, c := range result.Cases {
		if c.Status != testsuites.Fail || c.Reason == "" {
			t.Errorf("%s: want it to fail with a reason, got %s %q", c.ID, c.Status, c.Reason)
		}
		t.Logf("%s: %.300s", c.ID, c.Reason)
	}
	if result.Conforms() {
		t.Errorf("Conforms: want false, got true")
	}
}

// The marks of the table of mutants in the document.
const (
	document  = "../docs/conformance.md"
	beginMark = "<!-- mutants: begin -->\n"
	endMark   = "<!-- mutants: end -->\n"
)

// TestDocumentHasARowForEachMutant also wants each case to be one that catches something.
func TestDocumentHasARowForEachMutant(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), beginMark)
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		t.Fatalf("%s: want the marks %q and %q, got not both", document, beginMark, endMark)
	}
	var table strings.Builder
	table.WriteString("| What is wrong | Caught by |\n|---|---|\n")
	seen, caught := map[string]bool{}, map[string]bool{}
	row := func(name string, caughtBy []string) {
		if seen[name] || len(caughtBy) == 0 {
			t.Errorf("mutant %q: want it once, and with a case that catches it", name)
		}
		seen[name] = true
		for _, id := range caughtBy {
			caught[id] = true
		}
		fmt.Fprintf(&table, "| %s | `%s` |\n", name, strings.Join(caughtBy, "`, `"))
	}
	for _, m := range slices.Concat(mutants(), redirectMutants()) {
		row(m.name, m.caught)
	}
	for _, m := range backendMutants() {
		row("below the gate: "+m.name, m.caught)
	}
	for _, c := range testsuites.Cases() {
		if !caught[c.ID] {
			t.Errorf("%s: want a mutant that it catches, there is none", c.ID)
		}
	}
	want := head + beginMark + table.String() + endMark + tail
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Fatalf("%s differs from the mutants in the code; go test ./testsuites -run %s -update rewrites it", document, t.Name())
	}
}
