package storagedriver_test

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func numbers(receipts []storagedriver.Receipt) []int {
	out := []int{}
	for _, r := range receipts {
		out = append(out, r.Number)
	}
	return out
}

func TestReceipts(t *testing.T) {
	var none *storagedriver.Receipts
	if none.Len() != 0 || none.All() != nil || none.Page(0, 5) != nil {
		t.Error("no table is not an empty one")
	}
	var r storagedriver.Receipts
	if r.Len() != 0 || len(r.All()) != 0 || len(r.Page(-1, 1)) != 0 {
		t.Error("the zero value is not empty")
	}
	for _, n := range []int{3, 1, 9, 2, 3} {
		r.Set(storagedriver.Receipt{Number: n, Size: int64(r.Len())})
	}
	if got := numbers(r.All()); !slices.Equal(got, []int{1, 2, 3, 9}) || r.Len() != 4 {
		t.Errorf("All: %v", got)
	}
	if got := r.All()[2].Size; got != 4 {
		t.Errorf("receipt 3 was set twice and is the first: %d", got)
	}
	for _, c := range []struct {
		after, limit int
		want         []int
	}{
		{0, 10, []int{1, 2, 3, 9}}, {0, 2, []int{1, 2}}, {2, 2, []int{3, 9}}, {3, 1, []int{9}}, {5, 5, []int{9}}, {9, 5, []int{}},
		{100, 5, []int{}}, {-1, 1, []int{1}}, {2, math.MaxInt, []int{3, 9}}, {2, 0, []int{}}, {2, -1, []int{}}, {2, math.MinInt, []int{}},
	} {
		if got := numbers(r.Page(c.after, c.limit)); !slices.Equal(got, c.want) {
			t.Errorf("Page(%d, %d): %v, want %v", c.after, c.limit, got, c.want)
		}
	}
	all := r.All()
	all[0].Number = 77
	if r.All()[0].Number != 1 {
		t.Error("what All returned is the table itself")
	}
}

func TestReceiptsConcurrently(t *testing.T) {
	var r storagedriver.Receipts
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := i; n < 400; n += 8 {
				r.Set(storagedriver.Receipt{Number: n + 1})
				if page := r.Page(n, 1); len(page) != 1 || page[0].Number <= n {
					t.Errorf("Page(%d, 1): %v", n, page)
				}
			}
		})
	}
	wg.Wait()
	if r.Len() != 400 {
		t.Errorf("Len: %d", r.Len())
	}
}
