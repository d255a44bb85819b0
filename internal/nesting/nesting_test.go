package nesting_test

import (
	"context"
	"testing"

	"github.com/berth-dev/storagedriver/internal/nesting"
)

func TestAChainOfStoreCalls(t *testing.T) {
	a, b, c := new(int), new(int), new(int)
	none := t.Context()
	one := nesting.With(none, a, "outer", "under", false)
	two := nesting.With(context.WithoutCancel(one), b, "inner", "blobs", true)
	for _, x := range []struct {
		ctx            context.Context
		depth, reserve int
		chain          string
		a, b           bool
	}{
		{none, 0, 0, "", false, false},
		{one, 1, 1, "outer (its store under)", true, false},
		{two, 2, 4, "outer (its store under) > inner (its store blobs)", true, true},
		{nesting.With(none, a, "outer", "under", true), 1, 2, "outer (its store under)", true, false},
	} {
		if d, r := nesting.Depth(x.ctx), nesting.Reserve(x.ctx); d != x.depth || r != x.reserve {
			t.Errorf("%q: want depth %d and reserve %d, got %d and %d", x.chain, x.depth, x.reserve, d, r)
		}
		if got := nesting.Chain(x.ctx); got != x.chain {
			t.Errorf("want the chain %q, got %q", x.chain, got)
		}
		if hasA, hasB := nesting.Has(x.ctx, a), nesting.Has(x.ctx, b); hasA != x.a || hasB != x.b || nesting.Has(x.ctx, c) {
			t.Errorf("%q: want a: %v, b: %v, c: false, got %v, %v, %v", x.chain, x.a, x.b, hasA, hasB, nesting.Has(x.ctx, c))
		}
	}
}
