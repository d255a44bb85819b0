package objects_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

const aheadChunk = 64 << 10

func aheadOptions(ahead int, budget *chunked.Budget) objects.BodyOptions {
	o := brisk()
	o.Ahead, o.Chunk, o.Budget = ahead, aheadChunk, budget
	return o
}

// mustBeFree says that nobody holds memory.
func mustBeFree(t testing.TB, budget *chunked.Budget) {
	t.Helper()
	if n := budget.InUse(); n != 0 {
		t.Errorf("want the memory given back, %d bytes are in use", n)
	}
}

func TestRangesAreReadAhead(t *testing.T) {
	const size = 10*aheadChunk + 1234
	for _, breaks := range []bool{false, true} {
		for _, ahead := range []int{1, 3, 100} {
			budget := chunked.NewBudget(100 * aheadChunk)
			s := newService(t, size)
			var most int64
			var mu sync.Mutex
			s.fault = func(r request) fault {
				mu.Lock()
				defer mu.Unlock()
				most = max(most, budget.InUse())
				if breaks && r.number%2 == 1 {
					return fault{cut: 20_000}
				}
				return fault{}
			}
			body := s.mustOpen(10, aheadOptions(ahead, budget))
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, s.content[10:]) {
				t.Errorf("%d ahead, breaks: %v: want the object from byte 10 on, got %d bytes, right: %v, error %v", ahead, breaks, len(got), bytes.Equal(got, s.content[10:]), err)
			}
			_ = body.Close()
			mustBeFree(t, budget)
			if bound := int64(ahead+1) * aheadChunk; most == 0 || most > bound {
				t.Errorf("%d ahead: want at most %d bytes in use, got %d", ahead, bound, most)
			}
			all := s.all()
			if len(all) < 9 {
				t.Errorf("%d ahead: want a request for each range, got %+v", ahead, all)
			}
			for _, r := range all[1:] {
				if r.tag != s.tag || r.end-r.offset > aheadChunk || r.offset < 10+2*aheadChunk && !breaks {
					t.Errorf("%d ahead: want a range of one chunk after the second, and the tag %s, got %+v", ahead, s.tag, r)
				}
			}
		}
	}
}

// TestASmallReadIsOneRequest reads up to a chunk, and objects that end with the chunk after it.
func TestASmallReadIsOneRequest(t *testing.T) {
	for _, c := range []struct{ size, read int64 }{{10 * aheadChunk, aheadChunk}, {2 * aheadChunk, 2 * aheadChunk}, {100, 100}} {
		budget := chunked.NewBudget(100 * aheadChunk)
		s := newService(t, int(c.size))
		body := s.mustOpen(0, aheadOptions(4, budget))
		if _, err := io.CopyN(io.Discard, body, c.read); err != nil {
			t.Fatal(err)
		}
		mustBeFree(t, budget)
		_ = body.Close()
		if n := len(s.all()); n != 1 {
			t.Errorf("%d of %d bytes: want 1 request, got %d", c.read, c.size, n)
		}
	}
}

func TestClosingGivesUpTheRanges(t *testing.T) {
	for _, read := range []int{aheadChunk + 1, 2*aheadChunk + 1, 4*aheadChunk + 1} {
		budget := chunked.NewBudget(100 * aheadChunk)
		s := newService(t, 20*aheadChunk)
		s.fault = func(r request) fault {
			if r.offset > 5*aheadChunk {
				return fault{stall: 100}
			}
			return fault{}
		}
		body := s.mustOpen(0, aheadOptions(5, budget))
		if _, err := io.ReadFull(body, make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		if _, err := body.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if budget.InUse() == 0 {
			t.Errorf("after %d bytes: nothing is read ahead", read)
		}
		_ = body.Close()
		mustBeFree(t, budget)
	}
}

func TestNoMemoryIsNoReadAhead(t *testing.T) {
	budget := chunked.NewBudget(2*aheadChunk - 1)
	s := newService(t, 10*aheadChunk)
	got, err := io.ReadAll(s.mustOpen(0, aheadOptions(4, budget)))
	if err != nil || !bytes.Equal(got, s.content) {
		t.Errorf("want the object, got %d bytes, error %v", len(got), err)
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("want 1 request, got %d", n)
	}
}

func TestAnObjectWithoutTagIsNotReadAhead(t *testing.T) {
	s := newService(t, 10*aheadChunk)
	s.fault = func(r request) fault { return fault{noTag: true} }
	got, err := io.ReadAll(s.mustOpen(0, aheadOptions(4, chunked.NewBudget(100*aheadChunk))))
	if err != nil || !bytes.Equal(got, s.content) {
		t.Errorf("want the object, got %d bytes, error %v", len(got), err)
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("want 1 request, got %d", n)
	}
}

// TestMemoryIsGivenBackAfterItsLastUse has requests that take a second to end.
func TestMemoryIsGivenBackAfterItsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := chunked.NewBudget(100 * aheadChunk)
		m := &memory{t: t, content: randomBytes(20 * aheadChunk), tag: "1"}
		m.stalls = func(number int) bool { return number > 0 }
		m.ending = func() {
			<-time.After(time.Second)
			if budget.InUse() == 0 {
				t.Error("the memory is free, and a Read to it is under way")
			}
		}
		o := aheadOptions(3, budget)
		o.Stall = -1
		body, _, err := objects.Open(t.Context(), m.open, 0, -1, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := io.ReadFull(body, make([]byte, aheadChunk)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := m.number(); n != 4 {
			t.Errorf("want 3 ranges under way, got %d requests", n)
		}
		_ = body.Close()
		mustBeFree(t, budget)
		m.check()
	})
}

func TestMemoryThatComesFreeIsUsed(t *testing.T) {
	budget := chunked.NewBudget(4 * aheadChunk)
	other := budget.TrySpare(t.Context(), 2*aheadChunk)
	s := newService(t, 10*aheadChunk)
	body := s.mustOpen(0, aheadOptions(4, budget))
	got := make([]byte, 4*aheadChunk, 10*aheadChunk)
	if _, err := io.ReadFull(body, got); err != nil {
		t.Fatal(err)
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("want 1 request while there is no memory, got %d", n)
	}
	other.Release()
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(append(got, rest...), s.content) {
		t.Errorf("want the object, got %d more bytes, error %v", len(rest), err)
	}
	if n := len(s.all()); n < 4 {
		t.Errorf("want the rest in ranges once there is memory, got %d requests", n)
	}
	_ = body.Close()
	mustBeFree(t, budget)
}

func TestTheErrorOfARangeComesInItsPlace(t *testing.T) {
	for _, c := range []struct {
		fault fault
		kind  storagedriver.Kind
		says  string
	}{
		{fault{status: 403}, storagedriver.KindPermission, "status 403"},
		{fault{status: 412}, storagedriver.KindConflict, "replaced or deleted while it was read, after byte 262144 of 655360"},
		{fault{extra: 7}, storagedriver.KindCorrupt, "goes on after byte 327680"},
	} {
		budget := chunked.NewBudget(100 * aheadChunk)
		s := newService(t, 10*aheadChunk)
		s.fault = func(r request) fault {
			if r.offset == 4*aheadChunk {
				return c.fault
			}
			return fault{}
		}
		body := s.mustOpen(0, aheadOptions(3, budget))
		// Where ranges begin is known when no Read crosses a chunk.
		var got []byte
		var err error
		for p := make([]byte, 4096); err == nil; {
			var n int
			n, err = io.ReadFull(body, p)
			got = append(got, p[:n]...)
		}
		wantKind(t, err, c.kind, false, c.says)
		want := 4 * aheadChunk
		if c.fault.extra > 0 {
			want += aheadChunk
		}
		if len(got) != want || !bytes.HasPrefix(s.content, got) {
			t.Errorf("%s: want the %d bytes before it, got %d, right: %v", c.says, want, len(got), bytes.HasPrefix(s.content, got))
		}
		_ = body.Close()
		mustBeFree(t, budget)
	}
}

// TestAnIdleReaderKeepsNoMemory stops reading for longer than ranges are kept, before and in the first of them.
func TestAnIdleReaderKeepsNoMemory(t *testing.T) {
	for _, stop := range []int{aheadChunk + 6000, 3*aheadChunk + 6000} {
		synctest.Test(t, func(t *testing.T) {
			budget := chunked.NewBudget(100 * aheadChunk)
			m := &memory{t: t, content: randomBytes(20 * aheadChunk), tag: "1"}
			body, _, err := objects.Open(t.Context(), m.open, 0, -1, aheadOptions(3, budget))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, stop, len(m.content))
			for at := 0; at < stop; {
				n, err := body.Read(got[at:min(stop, at+5000)])
				if err != nil {
					t.Fatal(err)
				}
				at += n
			}
			if budget.InUse() == 0 {
				t.Error("nothing is read ahead")
			}
			<-time.After(time.Minute)
			synctest.Wait()
			mustBeFree(t, budget)
			before := m.number()
			rest, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(append(got, rest...), m.content) {
				t.Errorf("want the rest of the object, got %d bytes, error %v", len(rest), err)
			}
			if m.number() < before+10 {
				t.Errorf("want the rest in ranges again, got %d requests", m.number()-before)
			}
			_ = body.Close()
			mustBeFree(t, budget)
			m.check()
		})
	}
}

func TestAContextThatEndsFreesRanges(t *testing.T) {
	budget := chunked.NewBudget(100 * aheadChunk)
	s := newService(t, 20*aheadChunk)
	ctx, cancel := context.WithCancel(t.Context())
	body := s.mustOpenUnder(ctx, 0, aheadOptions(3, budget))
	if _, err := io.ReadFull(body, make([]byte, 2*aheadChunk)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = body.Close()
	mustBeFree(t, budget)
}
