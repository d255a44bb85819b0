package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// stored is an object of the driver as a source, as the writer of segments has them.
type stored struct {
	d    storagedriver.Backend
	path string
	size int64
}

func (s stored) Size() int64 { return s.size }

func (s stored) Open(ctx context.Context) (io.ReadCloser, error) {
	r, _, err := s.d.Read(ctx, s.path, 0, -1)
	return r, err
}

// TestASourceMayBeOfTheSameDriver joins objects while every instance is busy with a join.
func TestASourceMayBeOfTheSameDriver(t *testing.T) {
	for _, c := range []struct{ callers, bodies int }{{1, 1}, {6, 12}} {
		d, s, m := open(t, runtime.Config{MaxInstances: 1, MaxOpenBodies: c.bodies}, nil)
		content := unique(200_000)
		s.set("/1", content)
		s.set("/2", content[:70_000])
		src := storagedriver.JoinSources(stored{d, "/1", 200_000}, stored{d, "/2", 70_000})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range c.callers {
			wg.Go(func() {
				for _, way := range []string{"plain", "x-spliced", "x-written"} {
					path := fmt.Sprintf("/%d-%s", i, way)
					if err := d.Put(ctx, path, src); err != nil {
						t.Errorf("%s: %v", path, err)
					} else if got, _ := s.get(path); !bytes.Equal(got, append(bytes.Clone(content), content[:70_000]...)) {
						t.Errorf("%s: %d bytes", path, len(got))
					}
				}
			})
		}
		wg.Wait()
		if got := m.Stats(); got.Instances > 2 || got.OpenBodies != 0 {
			t.Errorf("%+v", got)
		}
	}
}

func TestAModuleIsClosedAfterItsCalls(t *testing.T) {
	s := newStore(t)
	m := load(t, runtime.Config{Allow: egress.Origins(s.URL)})
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	g := gated{in: new(counter), n: 2, gate: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- d.Put(context.Background(), "/x-written", g) }()
	eventually(t, "the call runs", func() bool { return g.in.Load() == 1 })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing while a call runs: %v, want the deadline", err)
	}
	close(g.gate)
	// Requests after Close are refused; what matters is that the guest ran to its end.
	if err := <-done; err != nil && storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Error(err)
	}
	if _, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL}); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("opening a closed module: %v", err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := m.Stats(); got.Instances != 0 || got.MappedBytes != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAModuleClosesItsDrivers(t *testing.T) {
	s := newStore(t)
	m := load(t, runtime.Config{Allow: egress.Origins(s.URL)})
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = d.Stat(t.Context(), "/echo")
	wantKind(t, err, storagedriver.KindClosed)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestABodyThatIsEmptyByNowIsClosedWhenSent(t *testing.T) {
	d, s, m := open(t, runtime.Config{}, nil)
	s.set("/big", unique(1000))
	if _, err := d.Stat(t.Context(), "/hostile/consumed"); err != nil {
		t.Fatal(err)
	}
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies open", n)
	}
}

func TestHeadersAreNotMultiplied(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	s.set("/big", unique(1000))
	_, err := d.Stat(t.Context(), "/hostile/wants")
	wantKind(t, err, storagedriver.KindLimit, "64")
}

func TestRangesThatDoNotFit(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	for name, part := range map[string]string{"range": "bytes 0-9/1000", "multipart": "multipart"} {
		r, _, err := d.Read(t.Context(), "/hostile/"+name, 0, 10)
		if err == nil {
			_ = r.Close()
		}
		t.Run(name, func(t *testing.T) { wantKind(t, err, storagedriver.KindCorrupt, part) })
	}
}

// TestAnEarlyAnswerDoesNotHold sends more than fits into buffers to a server that has
// answered and reads no more.
func TestAnEarlyAnswerDoesNotHold(t *testing.T) {
	d, _, _ := open(t, runtime.Config{FirstByteTimeout: 100 * time.Millisecond}, nil)
	for _, path := range []string{"/early-written", "/early-chunked-spliced"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := d.Put(ctx, path, storagedriver.BytesSource(make([]byte, 32<<20)))
		cancel()
		t.Run(path, func(t *testing.T) { wantKind(t, err, storagedriver.KindUnavailable) })
	}
}

// foreign is a context that is not the standard library's: a child of it that is never
// cancelled is a goroutine, which is found when the tests end.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func TestRequestsLeaveNothingWithTheContext(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	s.set("/first", unique(1000))
	ctx := foreign{context.Background(), make(chan struct{})}
	for _, path := range []string{"/a", "/a-spliced", "/chunked-spliced", "/empty-written", "/a-joined"} {
		if err := d.Put(ctx, path, storagedriver.BytesSource(unique(100_000))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	wantKind(t, d.Put(ctx, "/x-dropped", storagedriver.BytesSource("1")), storagedriver.KindConflict)
	eventually(t, "no goroutine waits for the context", func() bool {
		buf := make([]byte, 1<<20)
		return !bytes.Contains(buf[:goruntime.Stack(buf, true)], []byte("propagateCancel"))
	})
}

// TestRequestsAmidOthersCannotDeadlock fills every turn with requests whose bodies are being written by calls that make another
// one meanwhile.
func TestRequestsAmidOthersCannotDeadlock(t *testing.T) {
	d, s, _ := open(t, runtime.Config{MaxRequests: 2}, nil)
	s.set("/first", []byte("first"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			path := fmt.Sprintf("/%d-amid", i)
			if err := d.Put(ctx, path, storagedriver.BytesSource(unique(100_000))); err != nil {
				t.Errorf("%s: %v", path, err)
			} else if got, _ := s.get(path); len(got) != 100_000 {
				t.Errorf("%s has %d bytes", path, len(got))
			}
		})
	}
	wg.Wait()
}
