package storagedriver_test

import (
	"context"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestSourceReadsAreOfOneRequest(t *testing.T) {
	if got := storagedriver.SourceReadsOf(t.Context()); got != nil {
		t.Errorf("without WithSourceReads: want nil, got %v", got)
	}
	one := storagedriver.WithSourceReads(t.Context(), 3)
	inner, cancel := context.WithCancel(one)
	defer cancel()
	got := storagedriver.SourceReadsOf(inner)
	if got == nil || got != storagedriver.SourceReadsOf(one) || got.Open != 3 {
		t.Errorf("want the request's own, of 3, got %v", got)
	}
	other := storagedriver.SourceReadsOf(storagedriver.WithSourceReads(one, 0))
	if other == got || other.Open != 1 {
		t.Errorf("want another request's, of at least 1, got %v", other)
	}
}
