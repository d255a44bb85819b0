//go:build unix

package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

func TestBodiesOfAllSizes(t *testing.T) {
	b := connected(t, &own{Driver: inmemory.New()})
	for _, n := range []int{0, 1, inlineMost - 1, inlineMost, inlineMost + 1, chunkSize - 1, chunkSize, chunkSize + 1, window - 1, window, window + 1, 1<<20 + 7} {
		content := pattern(n)
		for name, source := range map[string]storagedriver.Source{"bytes": storagedriver.BytesSource(content), "a reader": plain(content)} {
			if err := b.Put(t.Context(), "/a", source); err != nil {
				t.Fatalf("%d bytes of %s: %v", n, name, err)
			}
			sameBytes(t, fmt.Sprintf("%s of %d bytes", name, n), getAll(t, b, "/a"), content)
		}
		var whole bytes.Buffer
		r, _, err := b.Read(t.Context(), "/a", int64(n/3), int64(n/2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := whole.ReadFrom(r); err != nil {
			t.Error(err)
		}
		sameBytes(t, "a range", whole.Bytes(), content[n/3:min(n, n/3+n/2)])
		whole.Reset()
		r, _, err = b.Read(t.Context(), "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&whole, r); err != nil { // io.WriterTo
			t.Error(err)
		}
		sameBytes(t, "a copy", whole.Bytes(), content)
	}
	b.running.noCalls(t)
}

// 64 bodies are open that nobody reads, each larger than its credit, and no call waits for them.
func TestBodiesThatNobodyReadHoldUpNobody(t *testing.T) {
	b := connected(t, &own{Driver: inmemory.New()})
	content := pattern(2 * window)
	if err := b.Put(t.Context(), "/a", plain(content)); err != nil {
		t.Fatal(err)
	}
	bodies := make([]io.ReadCloser, 64)
	for i := range bodies {
		r, _, err := b.Read(t.Context(), "/a", int64(i), -1)
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = r
	}
	if err := b.Put(t.Context(), "/b", plain(content)); err != nil {
		t.Error(err)
	}
	sameBytes(t, "another body", getAll(t, b, "/b"), content)
	var readers sync.WaitGroup
	for i, r := range bodies {
		readers.Go(func() {
			got, err := readAll(r)
			if err != nil {
				t.Error(err)
			}
			sameBytes(t, fmt.Sprint("body ", i), got, content[i:])
		})
	}
	readers.Wait()
	b.running.noCalls(t)
}

func TestManyCallsAtOnce(t *testing.T) {
	b := connected(t, &own{Driver: inmemory.New()})
	var calls sync.WaitGroup
	for i := range 64 {
		calls.Go(func() {
			path := fmt.Sprint("/", i)
			content := pattern(i * 5000)
			for range 3 {
				if err := b.Put(t.Context(), path, plain(content)); err != nil {
					t.Error(err)
					return
				}
				if e, err := b.Stat(t.Context(), path); err != nil || e.Size != int64(len(content)) {
					t.Errorf("%+v, %v", e, err)
				}
				r, _, err := b.Read(t.Context(), path, 0, -1)
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 {
					_ = r.Close()
					continue
				}
				got, err := readAll(r)
				if err != nil {
					t.Error(err)
				}
				sameBytes(t, path, got, content)
			}
		})
	}
	calls.Wait()
	b.running.noCalls(t)
}

// A driver opens the body again as often as it likes, however much of it was read or has come.
func TestABodyIsSentAgain(t *testing.T) {
	content := pattern(3 * window)
	memory := inmemory.New()
	var first io.ReadCloser
	b := connected(t, &own{Driver: memory, put: func(ctx context.Context, path string, body storagedriver.Source) error {
		for i, n := range []int{0, 1, 100, window - 1, window, window + 5, 2 * window, len(content)} {
			r, err := body.Open(ctx)
			if err != nil {
				return err
			}
			if i == 0 {
				first = r
			}
			got := make([]byte, n)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, content[:n]) {
				return fmt.Errorf("the first %d bytes of opening %d: %w", n, i, err)
			}
			if i > 0 {
				if _, err := first.Read(got[:1]); n > 0 && storagedriver.KindOf(err) != storagedriver.KindClosed {
					return fmt.Errorf("a body that was opened again can be read: %w", err)
				}
			}
			if i%2 == 0 {
				if err := r.Close(); err != nil {
					return err
				}
			}
		}
		return memory.Put(ctx, path, body)
	}})
	for name, source := range map[string]storagedriver.Source{"bytes": storagedriver.BytesSource(content), "a reader": plain(content)} {
		if err := b.Put(t.Context(), "/a", source); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameBytes(t, name, getAll(t, b, "/a"), content)
	}
	counting := newOdd(int64(len(content)), content, nil)
	if err := b.Put(t.Context(), "/a", counting); err != nil || counting.opened.Load() != 9 || counting.closed.Load() != 9 {
		t.Errorf("%v; opened %d times and closed %d, wanted 9", err, counting.opened.Load(), counting.closed.Load())
	}
}

// Whoever still reads an opening when the body is opened again, as the transport of a request that failed may, takes nothing away from the new one.
func TestABodyIsSentAgainWhileItIsRead(t *testing.T) {
	content := pattern(window)
	memory := inmemory.New()
	var late sync.WaitGroup
	b := connected(t, &own{Driver: memory, put: func(ctx context.Context, path string, body storagedriver.Source) error {
		for range 20 {
			r, err := body.Open(ctx)
			if err != nil {
				return err
			}
			begun := make(chan struct{})
			late.Go(func() {
				close(begun)
				n, err := io.Copy(io.Discard, r)
				kind := storagedriver.KindOf(err) // canceled: the call was over by then
				if err != nil && kind != storagedriver.KindClosed && kind != storagedriver.KindCanceled || err == nil && n != int64(len(content)) {
					t.Errorf("the one before: %d bytes, %v", n, err)
				}
			})
			<-begun
		}
		return memory.Put(ctx, path, body)
	}})
	for range 5 {
		if err := b.Put(t.Context(), "/a", plain(content)); err != nil {
			t.Fatal(err)
		}
		sameBytes(t, "the content", getAll(t, b, "/a"), content)
	}
	late.Wait()
}

func TestSourcesThatFail(t *testing.T) {
	memory := inmemory.New()
	twice := &own{Driver: memory}
	b := connected(t, twice)
	long := pattern(2 * window)
	full := storagedriver.NewError(storagedriver.KindNoSpace, "the spool is full")
	never := newOdd(10, nil, full)
	never.most = 1
	never.opened.Store(1)
	for name, c := range map[string]struct {
		source odd
		kind   storagedriver.Kind
		says   string
	}{
		"fails at once":         {newOdd(10, nil, full), storagedriver.KindNoSpace, "the spool is full"},
		"fails in the middle":   {newOdd(4*window, long, full), storagedriver.KindNoSpace, "the spool is full"},
		"fails at the end":      {newOdd(int64(len(long)), long, full), storagedriver.KindNoSpace, "the spool is full"},
		"cannot be opened":      {never, storagedriver.KindNoSpace, "the spool is full"},
		"ends at once":          {newOdd(10, nil, nil), storagedriver.KindCorrupt, "the body ended 10 bytes before its size of 10"},
		"ends early":            {newOdd(4*window, long, nil), storagedriver.KindCorrupt, "before its size of"},
		"runs on":               {newOdd(window+1, long, nil), storagedriver.KindCorrupt, "the body goes on after the promised"},
		"runs on from nothing":  {newOdd(0, long, nil), storagedriver.KindCorrupt, "the body goes on after the promised"},
		"has a size below zero": {newOdd(-1, nil, nil), storagedriver.KindInvalidArgument, "put: malformed message: a size of -1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := b.Put(t.Context(), "/a", c.source)
			wantFault(t, err, c.kind, c.says)
			if _, err := memory.Stat(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				t.Errorf("half of it was stored: %v", err)
			}
		})
	}
	// One that takes the bytes it was promised for the whole, and does not wait for the end.
	twice.put = func(ctx context.Context, path string, body storagedriver.Source) error {
		r, err := body.Open(ctx)
		if err != nil {
			return err
		}
		_, err = io.ReadFull(r, make([]byte, body.Size()-1))
		return err
	}
	wantFault(t, b.Put(t.Context(), "/a", newOdd(int64(len(long)), long, full)), storagedriver.KindNoSpace, "the spool is full")
	twice.put = func(ctx context.Context, path string, body storagedriver.Source) error {
		for range 2 {
			r, err := body.Open(ctx)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
		}
		return nil
	}
	once := newOdd(int64(len(long)), long, full)
	once.most = 1
	wantFault(t, b.Put(t.Context(), "/a", once), storagedriver.KindNoSpace, "the spool is full")
	b.running.noCalls(t)
}

// A driver may answer before it has read the body, or without reading it at all.
func TestAnAnswerEndsTheBody(t *testing.T) {
	full := storagedriver.NewError(storagedriver.KindNoSpace, "no room for 8 MiB")
	answers := &own{Driver: inmemory.New(), put: func(ctx context.Context, path string, body storagedriver.Source) error {
		switch path {
		case "/refused":
			return full
		case "/half":
			r, err := body.Open(ctx)
			if err != nil {
				return err
			}
			if _, err := io.CopyN(io.Discard, r, window+1); err != nil {
				return err
			}
			return full
		}
		return nil
	}}
	b := connected(t, answers)
	for _, path := range []string{"/refused", "/half", "/accepted"} {
		source := newOdd(8<<20, pattern(8<<20), nil)
		err := b.Put(t.Context(), path, source)
		if path != "/accepted" {
			wantFault(t, err, storagedriver.KindNoSpace, "no room for 8 MiB")
		} else if err != nil {
			t.Error(err)
		}
		if source.opened.Load() != source.closed.Load() {
			t.Errorf("%s: the body is used after the call", path)
		}
	}
	b.running.noCalls(t)
}

// watched is a body that tells when it was closed.
type watched struct {
	io.Reader
	closed chan struct{}
}

func (w watched) Close() error {
	close(w.closed)
	return nil
}

// endless gives zeros until its context ends.
type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	clear(p)
	return len(p), nil
}

func TestABodyThatIsClosedEarlyEndsTheCall(t *testing.T) {
	closed := make(chan struct{}, 1)
	b := connected(t, &own{Driver: inmemory.New(), read: func(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, int64, error) {
		w := watched{endless{ctx}, make(chan struct{})}
		go func() {
			<-w.closed
			closed <- struct{}{}
		}()
		return w, 1 << 40, nil
	}})
	for _, n := range []int64{0, 1, window, 5 * window} {
		r, size, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil || size != 1<<40 {
			t.Fatal(size, err)
		}
		if _, err := io.CopyN(io.Discard, r, n); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		<-closed
		if _, err := io.Copy(io.Discard, r); storagedriver.KindOf(err) != storagedriver.KindClosed {
			t.Errorf("reading on: %v", err)
		}
		b.running.noCalls(t)
	}
}

// hanging gives n bytes, and then nothing until its context ends.
type hanging struct {
	ctx context.Context
	n   int
}

func (h *hanging) Read(p []byte) (int, error) {
	if h.n > 0 {
		n := min(h.n, len(p))
		h.n -= n
		return n, nil
	}
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func TestABodyThatHangsEndsWithItsContext(t *testing.T) {
	b := connected(t, &own{Driver: inmemory.New(), read: func(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, int64, error) {
		return io.NopCloser(&hanging{ctx, 10}), 1 << 20, nil
	}})
	var got []byte
	var err error
	longer(200*time.Millisecond, func(d time.Duration) bool {
		var r io.ReadCloser
		if r, _, err = b.Read(lasting(t, d), "/a", 0, -1); err == nil {
			defer r.Close()
			got, err = io.ReadAll(r)
		}
		return len(got) > 0
	})
	wantFault(t, err, storagedriver.KindDeadline)
	if len(got) != 10 {
		t.Errorf("%d bytes came, wanted 10", len(got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r2, _, err := b.Read(ctx, "/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	closing := make(chan struct{})
	go func() { // another goroutine may close it, or end the context
		defer close(closing)
		cancel()
		_ = r2.Close()
	}()
	if _, err := io.Copy(io.Discard, r2); err == nil {
		t.Error("the body ended well")
	}
	<-closing
	b.running.noCalls(t)
}

func TestABodyThatFailsSaysWhy(t *testing.T) {
	for _, n := range []int{0, 100, window + 100} {
		b := connected(t, &own{Driver: inmemory.New(), read: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
			lost := storagedriver.NewError(storagedriver.KindUnavailable, "the disk is gone")
			return io.NopCloser(io.MultiReader(bytes.NewReader(pattern(n)), failing{lost})), 1 << 20, nil
		}})
		r, _, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		wantFault(t, err, storagedriver.KindUnavailable, "the disk is gone")
		sameBytes(t, "what came", got, pattern(n))
	}
}

// An operation that is cancelled is told so, and its body with it; nothing is stored, and the call waits for that.
func TestACancelledCallIsOverWhenItReturns(t *testing.T) {
	memory := inmemory.New()
	var under, reached atomic.Int64
	b := connected(t, &own{Driver: memory, put: func(ctx context.Context, path string, body storagedriver.Source) error {
		under.Add(1)
		reached.Add(1)
		defer under.Add(-1)
		return memory.Put(ctx, path, body)
	}, stat: func(ctx context.Context, _ string) (storagedriver.Entry, error) {
		under.Add(1)
		reached.Add(1)
		defer under.Add(-1)
		<-ctx.Done()
		return storagedriver.Entry{}, ctx.Err()
	}})
	for name, call := range map[string]func(ctx context.Context) error{
		"stat": func(ctx context.Context) error { return statIt(ctx, b) },
		"put": func(ctx context.Context) error {
			return b.Put(ctx, "/a", storagedriver.JoinSources(plain(pattern(window)), slowSource(10)))
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		before := reached.Load()
		go func() {
			defer cancel()
			until(t, "the driver is at it", func() bool { return reached.Load() > before })
		}()
		wantFault(t, call(ctx), storagedriver.KindCanceled)
		if n := under.Load(); n != 0 {
			t.Errorf("%s: the driver is still at it", name)
		}
		wantFault(t, call(lasting(t, 100*time.Millisecond)), storagedriver.KindDeadline)
		if n := under.Load(); n != 0 {
			t.Errorf("%s: the driver is still at it", name)
		}
	}
	if _, err := memory.Stat(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Errorf("half of it was stored: %v", err)
	}
	b.running.noCalls(t)
}
