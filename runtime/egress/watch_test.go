package egress

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// TestWhatIsStuckEndsInTime counts the timer instead of waiting for it.
func TestWhatIsStuckEndsInTime(t *testing.T) {
	const shortest = 800 * time.Millisecond
	for _, limit := range []time.Duration{shortest, shortest + 1, shortest * 9 / 8, 1700 * time.Millisecond, time.Hour} {
		c := &Client{cfg: Config{FirstByteTimeout: shortest, IdleTimeout: limit}}
		c.watcher.setLimits(c.cfg.FirstByteTimeout, c.cfg.IdleTimeout)
		every := c.watcher.every
		x := &exchange{client: c}
		x.reads.Store(answeredBit)
		for range 100 {
			if x.isStuck(every) {
				t.Fatal("stuck while nobody reads")
			}
		}
		for range 100 {
			x.reads.Add(2)
			if x.isStuck(every) {
				t.Fatal("stuck while there is progress")
			}
		}
		x.reads.Add(1)
		n := 1
		for !x.isStuck(every) {
			n++
		}
		// The first time is up to every after the wait began.
		if least, most := time.Duration(n-1)*every, time.Duration(n)*every; least < limit || most > limit*5/4 {
			t.Errorf("a limit of %v ends after %v to %v", limit, least, most)
		}
	}
}

func TestTheWaitForAResponseHasItsOwnLimit(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	p, err := NewPolicy(Origins(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(Config{Policy: p, ConnectTimeout: time.Minute, FirstByteTimeout: 200 * time.Millisecond, IdleTimeout: 40 * time.Millisecond, MaxIdleConns: 1})
	defer c.Close()
	begin := time.Now()
	_, err = c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
	if took := time.Since(begin); storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "no progress for 200ms") || took < 200*time.Millisecond {
		t.Errorf("after %v: %v", took, err)
	}
}

// watched are the exchanges that a watcher has, the youngest first.
func (w *watcher) watchedNow() []*exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*exchange
	for x, prev := w.first, (*exchange)(nil); x != nil; prev, x = x, x.next {
		if x.prev != prev {
			panic("the list is broken")
		}
		list = append(list, x)
	}
	return list
}

func TestTheWatcherForgetsWhatHasEnded(t *testing.T) {
	w := &watcher{every: time.Hour}
	var all []*exchange
	for range 4 {
		x := &exchange{client: &Client{}}
		x.ctx, x.cancel = context.WithCancelCause(t.Context())
		w.add(x)
		all = append([]*exchange{x}, all...)
	}
	for _, i := range []int{1, 2, 0, 0} { // from the middle, the end, the front, and the last one
		w.remove(all[i])
		w.remove(all[i])
		all = slices.Delete(all, i, i+1)
		if !slices.Equal(w.watchedNow(), all) {
			t.Fatalf("%d exchanges are watched, want %d", len(w.watchedNow()), len(all))
		}
	}
	dropped := &exchange{client: &Client{}}
	dropped.ctx, dropped.cancel = context.WithCancelCause(t.Context())
	w.add(dropped)
	dropped.cancel(nil)
	w.tick()
	if n := len(w.watchedNow()); n != 0 || w.set {
		t.Errorf("%d exchanges are watched after their context ended, timer set: %v", n, w.set)
	}
}

func TestCloseEndsWhatIsHeldAlone(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/held" {
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	c := newClient(t, nil, time.Minute, s.URL)
	var bodies []*Body
	for _, path := range []string{"/held", "/"} {
		resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL + path})
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	if err := bodies[0].Hold(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := io.ReadAll(bodies[0]); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("a held body: %v", err)
	}
	if b, err := io.ReadAll(bodies[1]); string(b) != "x" || err != nil {
		t.Errorf("a body that is not held: %q, %v", b, err)
	}
	if err := bodies[1].Hold(); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("holding a body after Close: %v", err)
	}
	for _, b := range bodies {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(c.watcher.watchedNow()); n != 0 || c.watcher.set && !c.watcher.timer.Stop() {
		t.Errorf("%d exchanges are watched", n)
	}
}

// TestCheckedIsSharedAndConstant has requests at once with what an earlier one was found to
// have; the race detector and the comparison tell whether net/http only reads it.
func TestCheckedIsSharedAndConstant(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("X-A"), r.UserAgent(), b)
	}))
	defer s.Close()
	c := newClient(t, nil, time.Minute, s.URL)
	ask := func(checked *Checked) (string, *Checked) {
		r := &Request{Method: "PROPFIND", URL: s.URL, Headers: []string{"x-a", "1"}, Data: []byte("data"), Checked: checked}
		resp, err := c.Do(t.Context(), r)
		if err != nil {
			t.Error(err)
			return "", nil
		}
		b, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil {
			t.Error(err, cerr)
		}
		return string(b), r.Checked
	}
	want, checked := ask(nil)
	if want != "PROPFIND 1 berth data" || checked == nil {
		t.Fatalf("%q, %v", want, checked)
	}
	before := maps.Clone(checked.header)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, again := ask(checked); got != want || again != checked {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
	wg.Wait()
	if !maps.EqualFunc(before, checked.header, slices.Equal[[]string]) {
		t.Errorf("%v became %v", before, checked.header)
	}
	r := &Request{Method: "GET", URL: "http://127.0.0.2:1/", Checked: checked}
	if _, err := c.Do(t.Context(), r); storagedriver.KindOf(err) != storagedriver.KindDenied {
		t.Errorf("another origin with what was checked: %v", err)
	}
	for _, r := range []*Request{{Method: "CONNECT", URL: s.URL}, {Method: "GET", URL: s.URL, Headers: []string{"host", "x"}}, {Method: "GET", URL: "x"}} {
		if _, err := c.Do(t.Context(), r); err == nil || r.Checked != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestSpellingsAreBounded(t *testing.T) {
	c := newClient(t, nil, time.Minute, "http://127.0.0.1:1")
	for n := range 3 * maxSpellings {
		if err := c.CheckURL("http://127.0.0.1:1/" + strings.Repeat("x", n)); err != nil {
			t.Fatal(err)
		}
		if err := c.CheckURL("http://127.0.0.1:" + strings.Repeat("0", n) + "1/"); err != nil {
			t.Fatal(err)
		}
		if err := c.CheckURL("http://127.0.0.1:2/"); storagedriver.KindOf(err) != storagedriver.KindDenied {
			t.Fatal(err)
		}
	}
	if n := len(*c.spellings.Load()); n != maxSpellings {
		t.Errorf("%d spellings are remembered, want %d", n, maxSpellings)
	}
}
