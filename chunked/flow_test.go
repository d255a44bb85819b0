package chunked_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// TestPartsOverlap lets no part end before as many are in flight as there may be.
func TestPartsOverlap(t *testing.T) {
	for _, name := range []string{"parts", "five functions"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, o := backends[name](), options()
				o.Parallel = 3
				gathered := make(chan struct{})
				var mu sync.Mutex
				inFlight, peak := 0, 0
				m.Before = func(_ context.Context, op, path string) error {
					if op != "PutPart" && (op != "Put" || !strings.Contains(path, "~/")) {
						return nil
					}
					mu.Lock()
					inFlight++
					peak = max(peak, inFlight)
					if inFlight == 3 {
						close(gathered)
					}
					mu.Unlock()
					<-gathered // a deadlock, which synctest reports, if parts wait for each other
					return nil
				}
				w := openWriter(t, m, false, o)
				write(t, w, unique(4*partSize))
				ok(t, "Commit", w.Commit(t.Context()))
				wantContent(t, m, unique(4*partSize))
				if peak != 3 {
					t.Errorf("at most %d parts in flight, want 3", peak)
				}
				clean(t, m, o)
			})
		})
	}
}

func TestSequentialIsOneAtATime(t *testing.T) {
	m, o := backends["sequential"](), options()
	w := openWriter(t, m, false, o)
	write(t, w, unique(200))
	ok(t, "Commit", w.Commit(t.Context()))
	if n := m.PeakParts(); n != 1 {
		t.Errorf("%d parts in flight, want 1", n)
	}
	clean(t, m, o)
}

// TestBudgetIsNeverExceeded runs more writers than the budget has buffers.
func TestBudgetIsNeverExceeded(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, o chunked.Options) {
		o.Budget = chunked.NewBudget(3 * partSize)
		before := func(context.Context, string, string) error {
			if n := o.Budget.InUse(); n > o.Budget.Size() {
				m.Breach("%d bytes of a budget of %d in use", n, o.Budget.Size())
			}
			return nil
		}
		m.Before = before
		var group sync.WaitGroup
		for i := range 12 {
			group.Go(func() {
				path := target + string(rune('a'+i))
				w, err := chunked.Open(t.Context(), m, path, false, o)
				if err != nil {
					t.Error(err)
					return
				}
				for range 20 {
					if _, err := w.Write([]byte(unique(5))); err != nil {
						t.Error(err)
					}
				}
				if err := w.Commit(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		want := strings.Repeat(unique(5), 20)
		for path, got := range m.Content() {
			if got != want {
				t.Errorf("%s has %q, want %q", path, got, want)
			}
		}
	})
}

func TestWaitingForTheBudgetHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := backends["parts"](), options()
		o.Budget = chunked.NewBudget(partSize)
		first := openWriter(t, m, false, o)
		write(t, first, "x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		second, err := chunked.Open(ctx, m, target+"2", false, o)
		ok(t, "Open", err)
		n, err := second.Write([]byte("y"))
		wantKind(t, "Write", err, storagedriver.KindDeadline)
		if n != 0 {
			t.Errorf("%d bytes were accepted", n)
		}
		ok(t, "Close", second.Close())
		ok(t, "Commit", first.Commit(t.Context()))
		clean(t, m, o)
	})
}

// TestCommittingATailHonoursTheContext has a commit wait for the memory of the tail that it goes on from.
func TestCommittingATailHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := backends["multiple"](), options()
		o.Budget = chunked.NewBudget(partSize)
		before := openWriter(t, m, false, o)
		write(t, before, unique(5))
		ok(t, "Close", before.Close())
		w := openWriter(t, m, true, o)
		other, err := chunked.Open(t.Context(), m, target+"2", false, o)
		ok(t, "Open", err)
		write(t, other, "x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		committed := make(chan error, 1)
		go func() { committed <- w.Commit(ctx) }()
		select {
		case err = <-committed:
			wantKind(t, "Commit", err, storagedriver.KindDeadline)
			ok(t, "Cancel", other.Cancel(t.Context()))
			ok(t, "Commit", w.Commit(t.Context()))
		case <-time.After(time.Hour):
			t.Error("Commit goes on after its context has ended")
			ok(t, "Cancel", other.Cancel(t.Context()))
			ok(t, "Commit", <-committed)
		}
		wantContent(t, m, unique(5))
		clean(t, m, o)
	})
}

// TestExtraBuffersAreReturned has a writer that had all of the budget give back what it
// does not fill, so that others are admitted.
func TestExtraBuffersAreReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := backends["parts"](), options()
		o.Budget = chunked.NewBudget(4 * partSize)
		w := openWriter(t, m, false, o)
		write(t, w, unique(10*partSize+1))
		synctest.Wait()
		if n := o.Budget.InUse(); n != partSize {
			t.Errorf("with all parts stored %d bytes are in use, want %d", n, partSize)
		}
		ok(t, "Cancel", w.Cancel(t.Context()))
		clean(t, m, o)
	})
}

// TestBodyEndsWithItsCall reads a part's body after PutPart has returned.
func TestBodyEndsWithItsCall(t *testing.T) {
	m, o := backends["parts"](), options()
	l := &late{Memory: m}
	w, err := chunked.Open(t.Context(), l, target, false, o)
	ok(t, "Open", err)
	write(t, w, unique(40))
	ok(t, "Commit", w.Commit(t.Context()))
	body, err := l.bodies[0].Open(t.Context())
	if err == nil {
		_, err = body.Read(make([]byte, 1))
	}
	wantKind(t, "Read of a body whose call has ended", err, storagedriver.KindClosed)
	clean(t, m, o)
}

type late struct {
	*chunkedtest.Memory
	mu     sync.Mutex
	bodies []storagedriver.Source
}

func (l *late) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	l.mu.Lock()
	l.bodies = append(l.bodies, part.Body)
	l.mu.Unlock()
	return l.Memory.PutPart(ctx, token, part)
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits       storagedriver.PartLimits
		size         int
		open, commit storagedriver.Kind
	}{
		"count":                  {limits: storagedriver.PartLimits{Count: 4, Max: partSize}, size: 4 * partSize},
		"one part too many":      {limits: storagedriver.PartLimits{Count: 4, Max: partSize}, size: 4*partSize + 1, commit: storagedriver.KindLimit},
		"parts grow":             {limits: storagedriver.PartLimits{Count: 8}, size: 16*8 + 32*4},
		"equal parts do not":     {limits: storagedriver.PartLimits{Count: 4, Equal: true}, size: 4*partSize + 1, commit: storagedriver.KindLimit},
		"total":                  {limits: storagedriver.PartLimits{Total: 50}, size: 50},
		"above total":            {limits: storagedriver.PartLimits{Total: 50}, size: 51, commit: storagedriver.KindLimit},
		"min above the budget":   {limits: storagedriver.PartLimits{Min: 1000}, open: storagedriver.KindLimit},
		"min above max":          {limits: storagedriver.PartLimits{Min: 10, Max: 9}, open: storagedriver.KindCorrupt},
		"negative":               {limits: storagedriver.PartLimits{Count: -1}, open: storagedriver.KindCorrupt},
		"a digest nobody has":    {limits: storagedriver.PartLimits{Digests: []string{"md4"}}, open: storagedriver.KindUnsupported},
		"min above what we want": {limits: storagedriver.PartLimits{Min: 100}, size: 250},
	} {
		t.Run(name, func(t *testing.T) {
			m, o := parts(c.limits)(), options()
			w, err := chunked.Open(t.Context(), m, target, false, o)
			if c.open != storagedriver.KindUnknown {
				wantKind(t, "Open", err, c.open)
				return
			}
			ok(t, "Open", err)
			content, size := unique(c.size), 0
			for ; err == nil && size < len(content); size++ {
				_, err = w.Write([]byte{content[size]})
			}
			if err == nil {
				err = w.Commit(t.Context())
			}
			if c.commit != storagedriver.KindUnknown {
				wantKind(t, "writing", err, c.commit)
				ok(t, "Cancel", w.Cancel(t.Context()))
			} else {
				ok(t, "writing", err)
				wantContent(t, m, content)
			}
			clean(t, m, o)
		})
	}
}

func TestBackendThatTalksNonsense(t *testing.T) {
	receipts := func(r ...storagedriver.Receipt) *storagedriver.Receipts {
		out := &storagedriver.Receipts{}
		for _, x := range r {
			out.Set(x)
		}
		return out
	}
	for name, upload := range map[string]storagedriver.Upload{
		"content of a fresh upload": {Tail: storagedriver.BytesSource("x")},
		"a gap in the numbers":      {Resumed: true, Receipts: receipts(storagedriver.Receipt{Number: 2, Size: 1})},
		"a gap in the offsets":      {Resumed: true, Receipts: receipts(storagedriver.Receipt{Number: 1, Size: 1}, storagedriver.Receipt{Number: 2, Offset: 2, Size: 1})},
		"an empty part":             {Resumed: true, Receipts: receipts(storagedriver.Receipt{Number: 1})},
		"a long token":              {Token: strings.Repeat("x", storagedriver.MaxToken+1)},
		"a long receipt":            {Resumed: true, Receipts: receipts(storagedriver.Receipt{Number: 1, Size: 1, Data: make([]byte, storagedriver.MaxReceipt+1)})},
	} {
		t.Run(name, func(t *testing.T) {
			b := &nonsense{Memory: backends["parts"](), upload: upload}
			_, err := chunked.Open(t.Context(), b, target, true, options())
			wantKind(t, "Open", err, storagedriver.KindCorrupt)
		})
	}
}

type nonsense struct {
	*chunkedtest.Memory
	upload storagedriver.Upload
}

func (n *nonsense) OpenUpload(context.Context, string, bool) (storagedriver.Upload, error) {
	return n.upload, nil
}
