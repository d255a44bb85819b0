package limit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting is inmemory without abilities, which counts what runs at one time. Calls take a while on the
// clock of a bubble.
type counting struct {
	storagedriver.Backend
	busy bool // it refuses reads that feed its puts

	mu    sync.Mutex
	now   int
	peak  int
	order []string
}

func newCounting() *counting { return &counting{Backend: inmemory.New()} }

func (c *counting) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }

func (c *counting) begin(path string) {
	c.mu.Lock()
	c.now++
	c.peak = max(c.peak, c.now)
	c.order = append(c.order, path)
	c.mu.Unlock()
	<-time.After(time.Millisecond)
}

func (c *counting) end() {
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

type feeding struct{}

func (c *counting) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	c.begin(path)
	defer c.end()
	return c.Backend.Stat(ctx, path)
}

func (c *counting) ListUploads(_ context.Context, path, _ string, _ int) (storagedriver.Page, error) {
	c.begin(path)
	defer c.end()
	return storagedriver.Page{}, nil
}

func (c *counting) Put(ctx context.Context, path string, body storagedriver.Source) error {
	c.begin(path)
	defer c.end()
	return c.Backend.Put(context.WithValue(ctx, feeding{}, true), path, body)
}

func (c *counting) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if c.busy && ctx.Value(feeding{}) != nil {
		return nil, 0, storagedriver.NewError(storagedriver.KindUnsupported, "busy")
	}
	c.begin(path)
	r, n, err := c.Backend.Read(ctx, path, offset, length)
	if err != nil {
		c.end()
		return nil, 0, err
	}
	return &body{ReadCloser: r, c: c}, n, nil
}

type body struct {
	io.ReadCloser
	c *counting
}

func (b *body) Close() error {
	b.c.end()
	return b.ReadCloser.Close()
}

func TestNoMoreCallsAtOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting()
		b := limit.New(c, limit.Config{Concurrency: 3})
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				if _, err := b.Stat(t.Context(), "/"); err != nil {
					t.Error(err)
				}
				if _, err := b.ListUploads(t.Context(), "/", "", 1); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if c.peak != 3 {
			t.Errorf("want 3 calls at one time, there were %d", c.peak)
		}
	})
}

func TestPlacesAreGivenInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting()
		b := limit.New(c, limit.Config{Concurrency: 2})
		var all sync.WaitGroup
		var want []string
		for i := range 20 {
			path := fmt.Sprintf("/%02d", i)
			want = append(want, path)
			all.Go(func() { _, _ = b.Stat(t.Context(), path) })
			synctest.Wait() // it runs or waits before the next comes
		}
		all.Wait()
		for i := 2; i < len(want); i++ { // pairs run together
			if got := c.order[i]; got != want[i] && got != want[i^1] {
				t.Fatalf("want the order of arrival, got %v", c.order)
			}
		}
	})
}

func TestABodyKeepsItsPlaceUntilItIsClosed(t *testing.T) {
	for bodies, waits := range map[int]bool{0: true, 1: false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCounting()
			b := limit.New(c, limit.Config{Concurrency: 2, Bodies: bodies})
			if err := b.Put(t.Context(), "/a", storagedriver.BytesSource("content")); err != nil {
				t.Fatal(err)
			}
			var open []io.ReadCloser
			for range max(1, 2-bodies) {
				r, _, err := b.Read(t.Context(), "/a", 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, r)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := b.Stat(ctx, "/a")
			if got := errors.Is(err, context.DeadlineExceeded); got != waits {
				t.Errorf("bodies %d: Stat while bodies are open: want it to wait: %v, got %v", bodies, waits, err)
			}
			for range 2 { // closing again gives no second place
				for _, r := range open {
					_ = r.Close()
				}
			}
			c.peak = 0
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if _, err := b.Stat(t.Context(), "/a"); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if c.peak > 2 {
				t.Errorf("want at most 2 calls after the bodies were closed, there were %d", c.peak)
			}
		})
	}
}

func TestAReadThatFailsLeavesItsPlace(t *testing.T) {
	b := limit.New(inmemory.New(), limit.Config{Concurrency: 2})
	for range 5 {
		if _, _, err := b.Read(t.Context(), "/missing", 0, -1); storagedriver.KindOf(err) != storagedriver.KindNotFound {
			t.Fatal(err)
		}
	}
}

func TestWaitingHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(newCounting(), limit.Config{Concurrency: 2})
		for range 2 {
			if err := b.Put(t.Context(), "/a", storagedriver.BytesSource("x")); err != nil {
				t.Fatal(err)
			}
		}
		one, _, _ := b.Read(t.Context(), "/a", 0, -1)
		two, _, _ := b.Read(t.Context(), "/a", 0, -1)
		defer one.Close()
		defer two.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		err := b.Put(storagedriver.WithSourceReads(ctx, 1), "/b", storagedriver.BytesSource("x"))
		if !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second {
			t.Errorf("want the end of the context when it ends, got %v after %v", err, time.Since(begun))
		}
	})
}

// TestCommitsThatJoinStoredSegmentsDoNotBlock has many writers on few places, on a backend where each commit
// is a put that reads the segments while it runs, or has them all opened before it.
func TestCommitsThatJoinStoredSegmentsDoNotBlock(t *testing.T) {
	for _, config := range []limit.Config{{Concurrency: 2}, {Concurrency: 3}, {Concurrency: 5}, {Concurrency: 2, Bodies: 1}, {Concurrency: 2, Bodies: 3}} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v busy %v", config, busy), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCounting()
					c.busy = busy
					d := layers.Complete(limit.New(c, config), layers.WithPartSize(1<<10), layers.WithParallel(2),
						layers.WithBudget(chunked.NewBudget(1<<20)))
					commitMany(t, d, 16, 4<<10+100)
					most := config.Concurrency + config.Bodies
					if busy {
						most = max(most, 6) // the five segments of one commit and its put
					}
					if c.peak > most {
						t.Errorf("want at most %d at one time, there were %d", most, c.peak)
					}
				})
			})
		}
	}
}

// commitMany uploads and commits at the same time. A deadlock ends the bubble.
func commitMany(t *testing.T, d storagedriver.StorageDriver, writers, size int) {
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			path := fmt.Sprintf("/dir/%d", i)
			content := bytes.Repeat([]byte{byte(i), byte(i + 1), 3}, size/3)
			w, err := d.Writer(t.Context(), path, false)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Write(content); err != nil {
				t.Error(err)
			}
			if err := w.Commit(t.Context()); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if got, err := d.GetContent(t.Context(), path); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: want what was written, got %d bytes, %v", path, len(got), err)
			}
		})
	}
	all.Wait()
}

// reading is a source that reads a file of a backend, and has not said so.
type reading struct {
	b    storagedriver.Backend
	path string
	size int64
}

func (r reading) Size() int64 { return r.size }

func (r reading) Open(ctx context.Context) (io.ReadCloser, error) {
	body, _, err := r.b.Read(ctx, r.path, 0, -1)
	return body, err
}

func TestPutsWhoseReadsWereNotAnnouncedDoNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting()
		b := limit.New(c, limit.Config{Concurrency: 2})
		if err := b.Put(t.Context(), "/a", storagedriver.BytesSource("content")); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if err := b.Put(t.Context(), fmt.Sprintf("/b%d", i), reading{b, "/a", 7}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if c.peak > 4 {
			t.Errorf("want at most one read beyond the limit for each put, there were %d at one time", c.peak)
		}
	})
}

// TestARequestGivesItsPlacesBackBetweenItsCalls has one that waits, as retry does.
func TestARequestGivesItsPlacesBackBetweenItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(newCounting(), limit.Config{Concurrency: 2})
		ctx := storagedriver.WithSourceReads(t.Context(), 1)
		for range 3 {
			if err := b.Put(ctx, "/a", storagedriver.BytesSource("x")); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					if _, err := b.Stat(t.Context(), "/a"); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
	})
}

// TestManyCallsOfOneRequestJoin begins them together, and ends the one that waits for the places.
func TestManyCallsOfOneRequestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting()
		b := limit.New(c, limit.Config{Concurrency: 4})
		for _, path := range []string{"/a", "/b"} {
			if err := b.Put(t.Context(), path, storagedriver.BytesSource(path)); err != nil {
				t.Fatal(err)
			}
		}
		holder, _, _ := b.Read(t.Context(), "/a", 0, -1)
		request := storagedriver.WithSourceReads(t.Context(), 3) // with its call, all there are
		first, cancel := context.WithCancel(request)
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := b.Read(first, "/a", 0, -1); !errors.Is(err, context.Canceled) {
				t.Errorf("want the first ended by its context, got %v", err)
			}
		})
		synctest.Wait()
		for range 2 {
			all.Go(func() {
				r, _, err := b.Read(request, "/b", 0, -1)
				if err != nil {
					t.Error(err)
					return
				}
				_ = r.Close()
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		_ = holder.Close()
		all.Wait()
		if _, err := b.Stat(t.Context(), "/a"); err != nil {
			t.Error(err)
		}
	})
}

func TestABodyThatWritesItselfStillDoes(t *testing.T) {
	b := limit.New(inmemory.New(), limit.Config{Concurrency: 2})
	if err := b.Put(t.Context(), "/a", storagedriver.BytesSource("content")); err != nil {
		t.Fatal(err)
	}
	r, _, err := b.Read(t.Context(), "/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var to strings.Builder
	if n, err := io.Copy(&to, r); err != nil || n != 7 || to.String() != "content" {
		t.Errorf("want the content, got %q, %v", to.String(), err)
	}
}
