package chunked

import (
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/internal/nesting"
)

func TestSparesLeaveWritersHalfOfTheBudget(t *testing.T) {
	b := NewBudget(8 * minMapped)
	var spares []*Spare
	for s := b.TrySpare(t.Context(), minMapped); s != nil; s = b.TrySpare(t.Context(), minMapped) {
		spares = append(spares, s)
	}
	if len(spares) != 4 || b.InUse() != 4*minMapped {
		t.Fatalf("want half of the budget, 4 spares, got %d and %d bytes in use", len(spares), b.InUse())
	}
	writer := mustAcquire(t, b, 4*minMapped) // at once
	for _, s := range spares {
		if len(s.Bytes()) != minMapped {
			t.Errorf("want a spare of %d bytes, got %d", minMapped, len(s.Bytes()))
		}
		clear(s.Bytes())
		s.Release()
	}
	b.release(writer)
	if b.InUse() != 0 || b.spares.Load() != 0 {
		t.Errorf("want nothing in use, got %d bytes, %d of them spares", b.InUse(), b.spares.Load())
	}
}

func TestASpareIsWhatWritersLeave(t *testing.T) {
	b := NewBudget(4 * minMapped)
	writer := mustAcquire(t, b, 4*minMapped)
	if b.TrySpare(t.Context(), 1) != nil {
		t.Error("there is a spare in a budget that is in use")
	}
	waits := make(chan *buffer)
	go func() {
		second, _ := b.acquire(t.Context(), 3*minMapped)
		waits <- second
	}()
	b.release(writer)
	second := <-waits
	if b.TrySpare(t.Context(), 2*minMapped) != nil {
		t.Error("there is more than the writer left")
	}
	one := b.TrySpare(t.Context(), minMapped)
	if one == nil {
		t.Fatal("there is no spare although a quarter is free")
	}
	one.Release()
	b.release(second)
	for _, size := range []int64{0, -1, 2*minMapped + 1} {
		if b.TrySpare(t.Context(), size) != nil {
			t.Errorf("there is a spare of %d bytes", size)
		}
	}
}

// TestAWaitingWriterComesFirst has a writer wait for the whole budget while a spare is out.
func TestAWaitingWriterComesFirst(t *testing.T) {
	b := NewBudget(4 * minMapped)
	out := b.TrySpare(t.Context(), minMapped)
	got := make(chan *buffer)
	go func() {
		buf, _ := b.acquire(t.Context(), 4*minMapped)
		got <- buf
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		s := b.TrySpare(t.Context(), minMapped)
		if s == nil {
			break // it waits
		}
		s.Release()
		if time.Now().After(deadline) {
			t.Fatal("spares can be had while a writer waits")
		}
	}
	out.Release()
	b.release(<-got)
}

func TestSparesOfStoresAreTheirReserves(t *testing.T) {
	b := NewBudget(2 * minMapped)
	below := nesting.With(t.Context(), new(int), "outer", "under", false)
	writer := mustAcquire(t, b, 2*minMapped)
	s := b.TrySpare(below, minMapped)
	if s == nil {
		t.Fatal("a reader behind a store has no spare while writers above use the budget")
	}
	s.Release()
	b.release(writer)
}

func TestSparesMayBeHadConcurrently(t *testing.T) {
	b := NewBudget(4 * minMapped)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if s := b.TrySpare(t.Context(), minMapped); s != nil {
					s.Bytes()[0]++
					s.Release()
				}
			}
		})
	}
	wg.Wait()
	if b.InUse() != 0 || b.spares.Load() != 0 {
		t.Errorf("want nothing in use, got %d bytes, %d of them spares", b.InUse(), b.spares.Load())
	}
}
