package testsuites_test

import (
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites"
)

// TestBrokenDriversFail runs, on drivers that are wrong in one thing each, the cases that must see it.
func TestBrokenDriversFail(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			wantCaught(t, f, onModel(t))
		})
	}
}

func wantCaught(t *testing.T, f fault, open func(t testsuites.T) storagedriver.StorageDriver) {
	result := testsuites.RunAll(t.Context(), testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver {
			good := open(t)
			d := &broken{StorageDriver: good}
			f.inject(d, good)
			return d
		},
		Run:      strings.Join(f.caught, ","),
		PartSize: partSize,
		Timeout:  5 * time.Second,
	}, nil)
	if result.Err != nil || len(result.Cases) != len(f.caught) {
		t.Fatalf("want %d cases to run, got %d (%v)", len(f.caught), len(result.Cases), result.Err)
	}
	for _, c := range result.Cases {
		if c.Status != testsuites.Fail || c.Reason == "" {
			t.Errorf("%s: want it to fail with a reason, got %s %q", c.ID, c.Status, c.Reason)
		}
		t.Logf("%s: %s", c.ID, c.Reason)
	}
	if result.Conforms() {
		t.Errorf("Conforms: want false, got true")
	}
}
