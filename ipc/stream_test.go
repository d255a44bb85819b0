//go:build unix

package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// connected opens a Backend that is served in this process, so that the race detector sees both ends.
func connected(t testing.TB, served storagedriver.Backend) *backend {
	t.Helper()
	host, driver := socketEnds(t)
	c := Config{Logger: (&lines{}).logger(), Settle: 30 * time.Second}.withDefaults()
	b := newBackend(&Driver{path: "in this process", cfg: c, manifest: aManifest}, guest.Values{})
	b.life, b.end = context.WithCancel(context.Background())
	r := &running{p: &process{host: host, gone: true, over: make(chan struct{}), state: "exit status 0"}, grace: c.Grace, started: time.Now()}
	r.link = newLink(host, &c, func(text string) string { return text })
	go func() {
		defer close(r.p.over)
		err := serve(context.Background(), driver, []byte(`{"name":"test"}`), func(context.Context, map[string]any) (storagedriver.Backend, error) { return served, nil })
		if err != nil {
			r.p.state = err.Error()
		}
	}()
	go r.receive()
	go r.watch()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if r.p.state != "exit status 0" {
			t.Errorf("the driver ended with %q", r.p.state)
		}
	})
	b.running = r
	if _, err := r.greet(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reply abi.OpenReply
	if err := r.do(t.Context(), abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")}, &reply); err != nil {
		t.Fatal(err)
	}
	b.Caps = storagedriver.Capabilities{Abilities: storagedriver.Ability(reply.Caps), MaxObject: reply.MaxObject}
	r.caps = b.Caps
	return b
}

// socketEnds are those of a socket.
func socketEnds(t testing.TB) (host, driver *net.UnixConn) {
	t.Helper()
	pair, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]*net.UnixConn, 2)
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // conn has its own
		conns[i] = conn.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// own is a Backend in memory some of whose methods are the test's.
type own struct {
	*inmemory.Driver
	put     func(ctx context.Context, path string, body storagedriver.Source) error
	read    func(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)
	stat    func(ctx context.Context, path string) (storagedriver.Entry, error)
	open    func(ctx context.Context, path string) (storagedriver.Upload, error)
	commit  func(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) error
	putPart func(ctx context.Context, part storagedriver.Part) ([]byte, error)
}

func (o *own) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: o.Driver.Capabilities().Abilities | storagedriver.AbilityParts}
}

func (o *own) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if o.put != nil {
		return o.put(ctx, path, body)
	}
	return o.Driver.Put(ctx, path, body)
}

func (o *own) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if o.read != nil {
		return o.read(ctx, path, offset, length)
	}
	return o.Driver.Read(ctx, path, offset, length)
}

func (o *own) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if o.stat != nil {
		return o.stat(ctx, path)
	}
	return o.Driver.Stat(ctx, path)
}

func (o *own) OpenUpload(ctx context.Context, path string, _ bool) (storagedriver.Upload, error) {
	return o.open(ctx, path)
}

func (o *own) PutPart(ctx context.Context, _ string, part storagedriver.Part) ([]byte, error) {
	return o.putPart(ctx, part)
}

func (o *own) CommitUpload(ctx context.Context, _ string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return o.commit(ctx, receipts, last)
}

// plain is a Source whose readers are readers and no more.
type plain []byte

func (p plain) Size() int64 { return int64(len(p)) }

func (p plain) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(struct{ io.Reader }{bytes.NewReader(p)}), nil
}

// odd is a Source that promises size bytes, has others, and ends with an error.
type odd struct {
	size   int64
	has    []byte
	err    error
	opened *atomic.Int64
	most   int64 // openings that succeed; 0: all
	closed *atomic.Int64
}

func (o odd) Size() int64 { return o.size }

func (o odd) Open(context.Context) (io.ReadCloser, error) {
	if n := o.opened.Add(1); o.most > 0 && n > o.most {
		return nil, o.err
	}
	tail := io.Reader(bytes.NewReader(nil))
	if o.err != nil && o.most == 0 {
		tail = failing{o.err}
	}
	return counted{io.MultiReader(bytes.NewReader(o.has), tail), o.closed}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type counted struct {
	io.Reader
	closed *atomic.Int64
}

func (c counted) Close() error {
	c.closed.Add(1)
	return nil
}

func newOdd(size int64, has []byte, err error) odd {
	return odd{size: size, has: has, err: err, opened: new(atomic.Int64), closed: new(atomic.Int64)}
}

func getAll(t testing.TB, b *backend, path string) []byte {
	t.Helper()
	r, n, err := b.Read(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	got, err := readAll(r)
	if err != nil || int64(len(got)) != n {
		t.Fatalf("reading %s: %d of %d bytes, %v", path, len(got), n, err)
	}
	return got
}

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
	r, _, err := b.Read(lasting(t, 200*time.Millisecond), "/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
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
	_ = r.Close()
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

// slowSource is a Source that never comes.
type slowSource int64

func (s slowSource) Size() int64 { return int64(s) }

func (s slowSource) Open(ctx context.Context) (io.ReadCloser, error) {
	return io.NopCloser(&hanging{ctx, 0}), nil
}

func tableOf(n int) *storagedriver.Receipts {
	table := &storagedriver.Receipts{}
	for i := range n {
		table.Set(storagedriver.Receipt{Number: 2*i + 1, Offset: int64(i) << 20, Size: 1 << 20, Data: []byte(fmt.Sprint("receipt ", i))})
	}
	return table
}

func sameReceipts(a, b *storagedriver.Receipts) bool {
	return slices.EqualFunc(a.All(), b.All(), func(a, b storagedriver.Receipt) bool {
		return a.Number == b.Number && a.Offset == b.Offset && a.Size == b.Size && bytes.Equal(a.Data, b.Data)
	})
}

func TestReceiptsTravelBothWays(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 512, 1000} {
		for _, tail := range []int{0, 10, window + 10} {
			want, rest := tableOf(n), pattern(tail)
			b := connected(t, &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
				up := storagedriver.Upload{Token: "t", Resumed: true, Receipts: want}
				if tail > 0 {
					up.Tail = plain(rest)
				}
				return up, nil
			}, commit: func(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) error {
				if !sameReceipts(receipts, want) {
					return fmt.Errorf("%d receipts came, wanted %d, or others", receipts.Len(), want.Len())
				}
				if last == nil {
					return nil
				}
				for range 2 { // AGAIN after RECEIPTS
					r, err := last.Open(ctx)
					if err != nil {
						return err
					}
					if got, err := readAll(r); err != nil || !bytes.Equal(got, rest) {
						return fmt.Errorf("the last part has %d bytes, wanted %d: %w", len(got), len(rest), err)
					}
				}
				return nil
			}})
			up, err := b.OpenUpload(t.Context(), "/a", true)
			if err != nil {
				t.Fatal(err)
			}
			if !sameReceipts(up.Receipts, want) || !up.Resumed || up.Token != "t" {
				t.Errorf("%d receipts came, wanted %d, or others; %+v", up.Receipts.Len(), n, up)
			}
			var last storagedriver.Source
			if tail > 0 {
				r, err := up.Tail.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := readAll(r)
				if err != nil {
					t.Error(err)
				}
				sameBytes(t, "the tail", got, rest)
				last = plain(rest)
			}
			if err := b.CommitUpload(t.Context(), "t", want, last); err != nil {
				t.Errorf("%d receipts, a last part of %d bytes: %v", n, tail, err)
			}
		}
	}
}

func TestATailOutlivesTheContextOfItsOpening(t *testing.T) {
	content := pattern(2 * window)
	b := connected(t, &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
		return storagedriver.Upload{Token: "t", Tail: plain(content)}, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	up, err := b.OpenUpload(ctx, "/a", true)
	if err != nil || up.Tail.Size() != 2*window {
		t.Fatal(up, err)
	}
	cancel() // as a layer that bounds calls does
	r, err := up.Tail.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	b.running.noCalls(t)
	if _, err := up.Tail.Open(t.Context()); storagedriver.KindOf(err) != storagedriver.KindUnsupported {
		t.Errorf("opened again: %v", err)
	}
}

// What a Backend answers that no message can hold is an error, and not silence.
func TestAnswersThatAreTooLong(t *testing.T) {
	large := &storagedriver.Receipts{}
	for i := range 200 {
		large.Set(storagedriver.Receipt{Number: i + 1, Data: make([]byte, 10_000)})
	}
	closed := new(atomic.Int64)
	b := connected(t, &own{Driver: inmemory.New(), open: func(_ context.Context, path string) (storagedriver.Upload, error) {
		up := storagedriver.Upload{Token: "t", Receipts: large}
		if path == "/tail" {
			tail := newOdd(window, pattern(window), nil)
			tail.closed = closed
			up.Tail = tail
		}
		return up, nil
	}, putPart: func(context.Context, storagedriver.Part) ([]byte, error) { return make([]byte, 2<<20), nil }})
	_, err := b.OpenUpload(lasting(t, time.Minute), "/a", true)
	wantFault(t, err, storagedriver.KindLimit, "the receipts of upload_open")
	_, err = b.OpenUpload(lasting(t, time.Minute), "/tail", true)
	wantFault(t, err, storagedriver.KindLimit, "the receipts of upload_open")
	until(t, "the tail was closed", func() bool { return closed.Load() == 1 })
	_, err = b.PutPart(lasting(t, time.Minute), "t", storagedriver.Part{Number: 1, Body: plain("x")})
	wantFault(t, err, storagedriver.KindLimit, "the reply to upload_part")
	wantFault(t, b.Delete(t.Context(), "/"+string(make([]byte, 2<<20))), storagedriver.KindLimit, "delete")
}

// A promise that the driver does not keep is told by its server, before the host has to find it out.
func TestPromisesOfABackendAreHeld(t *testing.T) {
	for _, size := range []int{10, window} {
		for _, has := range []int{size - 1, size + 1} {
			b := connected(t, &own{Driver: inmemory.New(), read: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
				return io.NopCloser(bytes.NewReader(make([]byte, has))), int64(size), nil
			}})
			err := readIt(t.Context(), b)
			wantFault(t, err, storagedriver.KindCorrupt)
		}
	}
	b := connected(t, &own{Driver: inmemory.New(), read: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(nil)), -1, nil
	}})
	wantFault(t, readIt(t.Context(), b), storagedriver.KindCorrupt, "a body of -1 bytes was promised")
}
