package chunked

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver/internal/nesting"
)

func mustAcquire(t *testing.T, b *Budget, size int64) *buffer {
	t.Helper()
	buf, err := b.acquire(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func TestAReleasedBufferIsUsedAgain(t *testing.T) {
	for _, size := range []int64{minMapped, 100} {
		b := NewBudget(4 * minMapped)
		first := mustAcquire(t, b, size)
		first.fill([]byte("content"))
		begin := &first.data[:1][0]
		b.release(first)
		if first.data != nil {
			t.Errorf("size %d: a released buffer still has its bytes", size)
		}
		second := mustAcquire(t, b, size)
		if &second.data[:1][0] != begin {
			t.Errorf("size %d: want the bytes that were released, got others", size)
		}
		if len(second.data) != 0 || int64(cap(second.data)) != size {
			t.Errorf("size %d: want an empty buffer of that size, got %d of %d bytes", size, len(second.data), cap(second.data))
		}
		b.release(second)
	}
}

func TestFreeBuffersAreWithinTheBudget(t *testing.T) {
	const most = 8 * minMapped
	b := NewBudget(most)
	held := map[*buffer]bool{}
	for i := range 200 {
		size := int64(minMapped) << (i % 3)
		if buf := b.tryAcquire(size); buf != nil {
			held[buf] = true
		}
		if i%5 == 4 {
			for buf := range held {
				b.release(buf)
				delete(held, buf)
			}
		}
		if all := b.InUse() + b.spare; all > most {
			t.Fatalf("step %d: %d bytes are in use and %d free, more than the budget of %d", i, b.InUse(), b.spare, most)
		}
		var free int64
		for _, buf := range b.free {
			free += int64(cap(buf.data))
		}
		if free != b.spare {
			t.Fatalf("step %d: the free buffers have %d bytes, and %d are counted", i, free, b.spare)
		}
	}
}

func TestFreeBuffersAreGivenBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(4 * minMapped)
		free := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.free)
		}
		one, two := mustAcquire(t, b, minMapped), mustAcquire(t, b, minMapped)
		b.release(one)
		<-time.After(keepFree - time.Second)
		b.release(two)
		<-time.After(2 * time.Second)
		if n := free(); n != 2 {
			t.Errorf("a second after a release: want 2 free buffers, got %d", n)
		}
		<-time.After(keepFree)
		if n := free(); n != 0 {
			t.Errorf("%v after the last release: want no free buffer, got %d", keepFree, n)
		}
		b.release(mustAcquire(t, b, minMapped)) // it goes on
		if n := free(); n != 1 {
			t.Errorf("want 1 free buffer, got %d", n)
		}
	})
}

// TestWritersBehindStoresDrawOnReserves has every depth hold all that it may have.
func TestWritersBehindStoresDrawOnReserves(t *testing.T) {
	b := NewBudget(minMapped)
	outer, inner := new(int), new(int)
	one := nesting.With(t.Context(), outer, "outer", "under", false)
	contexts := []context.Context{
		t.Context(), one, nesting.With(t.Context(), outer, "outer", "under", true), nesting.With(one, inner, "inner", "under", false),
	}
	var held []*buffer
	for i, ctx := range contexts {
		of := b.of(ctx)
		if of.Size() != b.Size() {
			t.Errorf("reserve %d: want %d bytes, got %d", i, b.Size(), of.Size())
		}
		held = append(held, mustAcquire(t, of, minMapped))
		if of.tryAcquire(1) != nil {
			t.Errorf("reserve %d: more than its size can be had", i)
		}
	}
	if want := int64(len(held)) * minMapped; b.InUse() != want {
		t.Errorf("want %d bytes in use, got %d", want, b.InUse())
	}
	for i, ctx := range contexts {
		b.of(ctx).release(held[i])
	}
	if b.InUse() != 0 {
		t.Errorf("want nothing in use, got %d bytes", b.InUse())
	}
	other := nesting.With(t.Context(), new(int), "another", "store", false)
	if b.of(one) != b.of(other) {
		t.Error("two drivers of one depth have two reserves")
	}
}
