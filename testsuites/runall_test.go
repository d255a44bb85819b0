package testsuites_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites"
)

// openModel opens drivers on one store.
func openModel(t *testing.T) func(t testsuites.T) storagedriver.StorageDriver {
	t.Helper()
	return onModel(t, 0).New
}

func TestRunAllReports(t *testing.T) {
	var seen []string
	result := testsuites.RunAll(t.Context(), testsuites.Harness{
		New:  openModel(t),
		Run:  "stat,list/file",
		Skip: map[string]string{"stat/modtime": "this store has no clock"},
		Seed: 42,
	}, func(c testsuites.CaseResult) { seen = append(seen, c.ID) })
	if !result.Conforms() || result.Err != nil {
		t.Fatalf("want a suite that conforms, got %+v", result)
	}
	if result.Seed != 42 || result.Driver != "model" || result.Duration <= 0 {
		t.Errorf("want seed 42, driver model and a duration, got %d, %q, %v", result.Seed, result.Driver, result.Duration)
	}
	if result.Count(testsuites.Skip) != 1 || result.Count(testsuites.Pass) != len(result.Cases)-1 {
		t.Errorf("want one case left out and all others passed, got %+v", result.Cases)
	}
	for i, c := range result.Cases {
		if seen[i] != c.ID {
			t.Errorf("progress: want %s as call %d, got %s", c.ID, i, seen[i])
		}
		if c.ID == "stat/modtime" && (c.Status != testsuites.Skip || !strings.Contains(c.Reason, "this store has no clock")) {
			t.Errorf("%s: want it left out for the reason given, got %s %q", c.ID, c.Status, c.Reason)
		}
	}
}

func TestRunAllRefusesAHarnessThatMakesNoSense(t *testing.T) {
	open := openModel(t)
	for name, tc := range map[string]struct {
		h    testsuites.Harness
		want string
	}{
		"no New":               {testsuites.Harness{}, "Harness.New"},
		"unknown skip":         {testsuites.Harness{New: open, Skip: map[string]string{"stat/none": "why"}}, "stat/none"},
		"skip for nothing":     {testsuites.Harness{New: open, Skip: map[string]string{"stat/file": ""}}, "stat/file"},
		"unknown case":         {testsuites.Harness{New: open, Run: "stat/none"}, "stat/none"},
		"negative parts":       {testsuites.Harness{New: open, PartSize: -1}, "PartSize"},
		"New without a driver": {testsuites.Harness{New: func(testsuites.T) storagedriver.StorageDriver { return nil }}, "no driver"},
		"New that fails": {testsuites.Harness{New: func(t testsuites.T) storagedriver.StorageDriver {
			t.Fatalf("the server is down")
			return nil
		}}, "the server is down"},
		"New that skips": {testsuites.Harness{New: func(t testsuites.T) storagedriver.StorageDriver {
			t.Skipf("no server here")
			return nil
		}}, "no server here"},
		"New that panics": {testsuites.Harness{New: func(testsuites.T) storagedriver.StorageDriver { panic("on purpose") }}, "on purpose"},
	} {
		result := testsuites.RunAll(t.Context(), tc.h, nil)
		if result.Err == nil || !strings.Contains(result.Err.Error(), tc.want) || len(result.Cases) != 0 || result.Conforms() {
			t.Errorf("%s: want an error with %q and no case, got %v and %d cases", name, tc.want, result.Err, len(result.Cases))
		}
	}
}

func TestRunAllEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := testsuites.RunAll(ctx, testsuites.Harness{New: openModel(t), Run: "stat"}, func(testsuites.CaseResult) { cancel() })
	if !errors.Is(result.Err, context.Canceled) || len(result.Cases) == 0 || len(result.Cases) > 2 {
		t.Fatalf("want context.Canceled and no case begun after it, got %v and %d cases", result.Err, len(result.Cases))
	}
}

func TestReopenedDriverMustShareTheStorage(t *testing.T) {
	result := testsuites.RunAll(t.Context(), testsuites.Harness{
		New: func(it testsuites.T) storagedriver.StorageDriver { return openModel(t)(it) },
		Run: "driver/sees-what-another-stored",
	}, nil)
	if len(result.Cases) != 1 || !strings.Contains(result.Cases[0].Reason, "give the Harness a Reopen") {
		t.Fatalf("want the case to say that Reopen is missing, got %+v", result)
	}
}

// TestCasesCloseAndCleanUp counts what a suite leaves behind.
func TestCasesCloseAndCleanUp(t *testing.T) {
	opened, closed := 0, 0
	open := openModel(t)
	var last storagedriver.StorageDriver
	result := testsuites.RunAll(t.Context(), testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver {
			opened++
			return &counting{StorageDriver: open(t), closed: &closed}
		},
		PartSize: partSize,
		Run:      "driver,suspend,stat,cancel",
	}, nil)
	if !result.Conforms() {
		for _, c := range result.Cases {
			if c.Status == testsuites.Fail {
				t.Errorf("%s: %s", c.ID, c.Reason)
			}
		}
		t.Fatalf("want a suite that conforms: %v", result.Err)
	}
	if opened < 5 || opened != closed {
		t.Errorf("want every driver closed once, got %d opened and %d closed", opened, closed)
	}
	last = open(testsuites.Testing(t))
	defer last.Close()
	names, err := last.List(t.Context(), "/")
	if err != nil || len(names) != 0 {
		t.Errorf("want nothing left in the store, got %q (%v)", names, err)
	}
}

type counting struct {
	storagedriver.StorageDriver
	closed *int
}

func (c *counting) Close() error {
	*c.closed++
	return c.StorageDriver.Close()
}

func TestCasesAreListed(t *testing.T) {
	cases := testsuites.Cases()
	if !slices.ContainsFunc(cases, func(c testsuites.Case) bool { return c.ID == "write/commit-makes-visible" && c.Summary != "" }) {
		t.Fatalf("Cases: want write/commit-makes-visible with a summary, got %d others", len(cases))
	}
}

func TestRunAllFailsADriverThatEndsTheGoroutine(t *testing.T) {
	open := openModel(t)
	result := testsuites.RunAll(t.Context(), testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver {
			d := &broken{StorageDriver: open(t)}
			d.putContent = func(context.Context, string, []byte) error { runtime.Goexit(); return nil }
			return d
		},
		Run: "stat/file",
	}, nil)
	if result.Conforms() {
		t.Fatalf("want a driver that ends the goroutine to fail, got %+v", result)
	}
}
