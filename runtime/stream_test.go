package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
)

// noStreams waits until every guest has ended its call.
func noStreams(t *testing.T, m *runtime.Module) {
	t.Helper()
	eventually(t, "no stream is under way", func() bool { return m.Stats().Streams == 0 })
}

func readStream(t *testing.T, d storagedriver.Backend, path string, offset, length int64) (io.ReadCloser, int64) {
	t.Helper()
	r, n, err := d.Read(t.Context(), path, offset, length)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, n
}

func TestStreamsHaveWhatIsAsked(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxInstances: 2}, nil)
	content := unique(1_000_000)
	s.set("/big", content)
	copied := func(r io.Reader) ([]byte, error) {
		var b bytes.Buffer
		_, err := io.Copy(&b, r)
		return b.Bytes(), err
	}
	ways := map[string]func(io.Reader) ([]byte, error){
		"read":      io.ReadAll,
		"copied":    copied,
		"in halves": func(r io.Reader) ([]byte, error) { return io.ReadAll(iotest.HalfReader(r)) },
		"in blocks": func(r io.Reader) ([]byte, error) { return copied(struct{ io.Reader }{r}) },
	}
	for _, c := range []struct {
		path        string
		off, length int64
	}{
		{"/streams/plain-1000000", 0, -1}, {"/streams/plain-1000000", 7, -1}, {"/streams/plain-1000000", 65536, 65536},
		{"/streams/plain-1000000", 65535, 2}, {"/streams/plain-1000000", 999_999, -1}, {"/streams/plain-1000000", 1_000_000, -1},
		{"/streams/plain-1000000", 500_000, 0}, {"/streams/plain-1000000", 999_990, 100}, {"/streams/plain-131072", 0, -1},
		{"/streams/large-1000000", 300_000, -1}, {"/streams/bytes-5000", 1000, 3000}, {"/streams/more-300000", 0, -1},
		{"/streams/spliced-1000000", 100_000, 800_000}, {"/streams/plain-0", 0, -1},
	} {
		for way, read := range ways {
			t.Run(fmt.Sprintf("%s from %d, %d, %s", c.path[9:], c.off, c.length, way), func(t *testing.T) {
				size := len(content)
				_, _ = fmt.Sscanf(c.path[bytes.IndexByte([]byte(c.path), '-')+1:], "%d", &size)
				end := int64(size)
				if c.length >= 0 {
					end = min(end, c.off+c.length)
				}
				r, n := readStream(t, d, c.path, c.off, c.length)
				got, err := read(r)
				if err != nil || n != end-c.off || !bytes.Equal(got, content[c.off:end]) {
					t.Errorf("%d bytes, %v, a promise of %d; want those of %d to %d", len(got), err, n, c.off, end)
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
			})
		}
	}
	noStreams(t, m)
	if _, _, err := d.Read(t.Context(), "/streams/plain-10", 11, -1); storagedriver.KindOf(err) != storagedriver.KindInvalidOffset {
		t.Errorf("beyond the end: %v", err)
	}
}

func TestStreamsThatBreakTheirPromise(t *testing.T) {
	d, _, m := open(t, runtime.Config{}, map[string]any{"password": "geheim-1234"})
	for kind, want := range map[string]struct {
		kind storagedriver.Kind
		text string
	}{
		"early": {storagedriver.KindCorrupt, "after 500000 of 1000000 bytes"},
		"error": {storagedriver.KindUnavailable, "the source went away"},
		"panic": {storagedriver.KindGuest, "halfway (secret)"},
		"exit":  {storagedriver.KindGuest, "proc_exit(3)"},
		"close": {storagedriver.KindCorrupt, "after 500000 of 1000000 bytes"},
	} {
		t.Run(kind, func(t *testing.T) {
			r, _ := readStream(t, d, "/streams/"+kind+"-1000000", 0, -1)
			got, err := io.ReadAll(r)
			wantKind(t, err, want.kind, want.text)
			if !bytes.Equal(got, unique(1_000_000)[:500_000]) {
				t.Errorf("%d bytes before the error, want the 500000 that were written", len(got))
			}
			if _, again := r.Read(make([]byte, 1)); again != err { //nolint:errorlint // the same
				t.Errorf("reading again: %v, want %v", again, err)
			}
			var g *runtime.GuestError
			if want.kind == storagedriver.KindGuest && (!errors.As(err, &g) || g.Op != "stream") {
				t.Errorf("%v is no GuestError of stream", err)
			}
			var e *storagedriver.Error
			if kind == "error" && (!errors.As(err, &e) || !e.Temporary) {
				t.Errorf("%v is not temporary", err)
			}
		})
	}
	noStreams(t, m)
	for kind, text := range map[string]string{"both": "a stream and with data", "state": "524289 bytes", "skip": "16777217 bytes early"} {
		_, _, err := d.Read(t.Context(), "/streams/"+kind+"-1000", 0, -1)
		wantKind(t, err, storagedriver.KindGuest, "read", text)
	}
}

// TestWhatAGuestDoesAfterTheEndIsItsOwn reads all that was promised of guests that write more.
func TestWhatAGuestDoesAfterTheEndIsItsOwn(t *testing.T) {
	d, _, m := open(t, runtime.Config{MaxStreams: 1}, nil)
	for kind, opened := range map[string]uint64{"plain": 0, "crash": 1} {
		if _, err := io.ReadAll(first(readStream(t, d, "/streams/plain-1000", 0, -1))); err != nil {
			t.Fatal(err)
		}
		noStreams(t, m)
		before := m.Stats().ByOp["open"]
		for range 3 {
			r, _ := readStream(t, d, "/streams/"+kind+"-500000", 10, 200_000)
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, unique(500_000)[10:200_010]) {
				t.Errorf("%s: %d bytes, %v", kind, len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		noStreams(t, m)
		if got := m.Stats().ByOp["open"] - before; got != 2*opened {
			t.Errorf("%s: %d instances were made for streams that follow each other, want %d", kind, got, 2*opened)
		}
	}
}

func first(r io.ReadCloser, _ int64) io.Reader { return r }

// gateHandler holds a guest that logs a warning.
type gateHandler struct {
	slog.Handler
	entered, open chan struct{}
}

func (g gateHandler) Enabled(context.Context, slog.Level) bool { return true }

func (g gateHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		g.entered <- struct{}{}
		<-g.open
	}
	return nil
}

func (g gateHandler) WithAttrs([]slog.Attr) slog.Handler { return g }

// TestAGuestThatGoesOnKeepsItsSlotOnly reads a stream whose guest does not end.
func TestAGuestThatGoesOnKeepsItsSlotOnly(t *testing.T) {
	gate := gateHandler{slog.DiscardHandler, make(chan struct{}, 10), make(chan struct{})}
	d, _, m := open(t, runtime.Config{MaxStreams: 2, MaxInstances: 1, Logger: slog.New(gate)}, nil)
	defer func() { close(gate.open); noStreams(t, m) }()
	r, _ := readStream(t, d, "/streams/deaf-500000", 0, 1000)
	if got, err := io.ReadAll(r); err != nil || len(got) != 1000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	<-gate.entered
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := m.Stats().Streams; n != 1 {
		t.Errorf("%d streams, want the one that goes on", n)
	}
	if got, err := io.ReadAll(first(readStream(t, d, "/streams/plain-300000", 0, -1))); err != nil || len(got) != 300_000 {
		t.Errorf("beside it: %d bytes, %v", len(got), err)
	}
}

// TestAStalledReaderHoldsNoInstanceOfCalls leaves a reader alone while the only instance serves others.
func TestAStalledReaderHoldsNoInstanceOfCalls(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxInstances: 1, MaxStreams: 4}, nil)
	s.set("/big", unique(100_000))
	r, _ := readStream(t, d, "/streams/plain-5000000", 0, -1)
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := d.Stat(t.Context(), "/echo"); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/big", "/streams/plain-100000"} {
			if got, err := io.ReadAll(first(readStream(t, d, path, 0, -1))); err != nil || len(got) != 100_000 {
				t.Fatalf("%s: %d bytes, %v", path, len(got), err)
			}
		}
	}
	eventually(t, "the stalled stream alone is left", func() bool { return m.Stats().Streams == 1 })
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, unique(5_000_000)[10:]) {
		t.Errorf("afterwards: %d bytes, %v", len(got), err)
	}
}

func TestManyReadersShareTheLane(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxInstances: 2, MaxStreams: 4}, nil)
	s.set("/big", unique(1_000_000))
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			off, path := int64(i)*10_007, []string{"/streams/plain-1000000", "/streams/spliced-1000000"}[i%2]
			r, n, err := d.Read(t.Context(), path, off, 300_000)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			var got bytes.Buffer
			if _, err := io.Copy(&got, r); err != nil || !bytes.Equal(got.Bytes(), unique(1_000_000)[off:off+n]) {
				t.Errorf("%s from %d: %d of %d bytes, %v", path, off, got.Len(), n, err)
			}
			if n := m.Stats().Streams; n > 4 {
				t.Errorf("%d streams at once, want at most 4", n)
			}
		})
	}
	wg.Wait()
	noStreams(t, m)
	if n := m.Stats().Instances; n > 6 {
		t.Errorf("%d instances, want at most 2 and 4", n)
	}
}

// TestStreamsEndWithTheirReaders ends streams in which the guest writes, and waits for its source.
func TestStreamsEndWithTheirReaders(t *testing.T) {
	ends := map[string]struct {
		kind storagedriver.Kind
		end  func(cancel func(), d storagedriver.Backend, r io.Closer) error
	}{
		"context": {storagedriver.KindCanceled, func(cancel func(), _ storagedriver.Backend, _ io.Closer) error { cancel(); return nil }},
		"close":   {storagedriver.KindClosed, func(_ func(), _ storagedriver.Backend, r io.Closer) error { return r.Close() }},
		"driver":  {storagedriver.KindClosed, func(_ func(), d storagedriver.Backend, _ io.Closer) error { return d.Close() }},
	}
	for name, c := range ends {
		for _, path := range []string{"/streams/plain-5000000", "/streams/spliced-5000000", "/streams/never-5000000"} {
			t.Run(name+path, func(t *testing.T) {
				d, s, m := open(t, runtime.Config{}, nil)
				s.set("/big", unique(5_000_000))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r, _, err := d.Read(ctx, path, 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				read := make(chan error, 1)
				if path == "/streams/never-5000000" {
					go func() {
						_, err := r.Read(make([]byte, 10))
						read <- err
					}()
					eventually(t, "the guest waits", func() bool { return m.Stats().OpenBodies == 1 })
				} else if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
					t.Fatal(err)
				}
				if err := c.end(cancel, d, r); err != nil {
					t.Fatal(err)
				}
				if path == "/streams/never-5000000" {
					err = <-read
				} else {
					_, err = io.Copy(io.Discard, r)
				}
				wantKind(t, err, c.kind)
				noStreams(t, m)
				if err := r.Close(); err != nil {
					t.Errorf("closing again: %v", err)
				}
				if n := m.Stats().OpenBodies; n != 0 {
					t.Errorf("%d bodies open", n)
				}
			})
		}
	}
}

func TestAStreamThatIsNotReadHoldsNothing(t *testing.T) {
	d, _, m := open(t, runtime.Config{MaxStreams: 1}, nil)
	var unread []io.ReadCloser
	for range 10 {
		r, _ := readStream(t, d, "/streams/plain-5000000", 0, -1)
		unread = append(unread, r)
	}
	if got := m.Stats(); got.Streams != 0 || got.ByOp[abi.OpStream.String()] != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := io.ReadAll(first(readStream(t, d, "/streams/plain-1000", 0, -1))); err != nil {
		t.Error(err)
	}
	if err := unread[0].Close(); err != nil {
		t.Error(err)
	}
	_, err := unread[0].Read(make([]byte, 1))
	wantKind(t, err, storagedriver.KindClosed)
}

// TestAReaderThatTakesNothingMakesRoom holds the lane's only slot, first while nobody waits and then while somebody does.
func TestAReaderThatTakesNothingMakesRoom(t *testing.T) {
	const limit = 20 * time.Millisecond
	d, _, m := open(t, runtime.Config{MaxStreams: 1, IdleTimeout: limit}, nil)
	stalled, _ := readStream(t, d, "/streams/plain-5000000", 0, -1)
	if _, err := io.ReadFull(stalled, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, "the limit is long over", func() bool { return time.Since(begin) > 3*limit })
	if _, err := io.ReadFull(stalled, make([]byte, 1_000_000)); err != nil {
		t.Fatalf("while nobody waits: %v", err)
	}
	if got, err := io.ReadAll(first(readStream(t, d, "/streams/plain-300000", 0, -1))); err != nil || len(got) != 300_000 {
		t.Errorf("the one who waits: %d bytes, %v", len(got), err)
	}
	_, err := io.ReadAll(stalled)
	wantKind(t, err, storagedriver.KindDeadline, "took nothing for 20ms", "others waited")
	noStreams(t, m)
}

func TestWaitingForTheLaneHonoursTheContext(t *testing.T) {
	d, _, _ := open(t, runtime.Config{MaxStreams: 1}, nil)
	if _, err := io.ReadFull(first(readStream(t, d, "/streams/plain-5000000", 0, -1)), make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, _, err := d.Read(ctx, "/streams/plain-1000", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Read(make([]byte, 10))
	wantKind(t, err, storagedriver.KindDeadline)
}

// TestAStreamMayFeedACall puts a stream while every instance is busy: of the lane with a stalled reader, and of calls
// with puts like it.
func TestAStreamMayFeedACall(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxInstances: 1, MaxStreams: 1}, nil)
	s.set("/big", unique(200_000))
	if _, err := io.ReadFull(first(readStream(t, d, "/streams/plain-5000000", 0, -1)), make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	src := storagedriver.JoinSources(stored{d, "/streams/plain-200000", 200_000}, stored{d, "/streams/spliced-200000", 200_000})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for _, way := range []string{"plain", "x-spliced", "x-written"} {
				path := fmt.Sprintf("/%d-%s", i, way)
				if err := d.Put(ctx, path, src); err != nil {
					t.Errorf("%s: %v", path, err)
				} else if got, _ := s.get(path); !bytes.Equal(got, append(unique(200_000), unique(200_000)...)) {
					t.Errorf("%s: %d bytes", path, len(got))
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "the stalled stream alone is left", func() bool { return m.Stats().Streams == 1 })
}

// TestAStreamMayHaveABodyOfItsRead replaces what a stream is made of before it is read.
func TestAStreamMayHaveABodyOfItsRead(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxInstances: 1}, nil)
	content := unique(2_000_000)
	s.set("/big", content)
	r, _ := readStream(t, d, "/streams/pinned-2000000", 100_000, 1_500_000)
	unread, _ := readStream(t, d, "/streams/pinned-2000000", 0, -1)
	begun, _ := readStream(t, d, "/streams/pinned-2000000", 0, -1)
	if _, err := io.ReadFull(begun, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if n := m.Stats().OpenBodies; n != 3 {
		t.Errorf("%d bodies open, want 3", n)
	}
	s.set("/big", []byte("another"))
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content[100_000:1_600_000]) {
		t.Errorf("%d bytes, %v; want those that were there when it was opened", len(got), err)
	}
	for _, c := range []io.Closer{r, unread, begun} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	noStreams(t, m)
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies open", n)
	}
	// One that cannot begin lets go of its body as well.
	s.set("/big", content)
	ctx, cancel := context.WithCancel(t.Context())
	late, _, err := d.Read(ctx, "/streams/pinned-2000000", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = late.Read(make([]byte, 1))
	wantKind(t, err, storagedriver.KindCanceled)
	eventually(t, "its body is closed", func() bool { return m.Stats().OpenBodies == 0 })
	if err := late.Close(); err != nil {
		t.Error(err)
	}
}
