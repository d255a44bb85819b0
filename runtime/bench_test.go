package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// BenchmarkDispatch is one message of 200 bytes to the guest and its reply.
func BenchmarkDispatch(b *testing.B) {
	d, _, _ := open(b, runtime.Config{}, nil)
	ctx := b.Context()
	path := "/echo"
	if _, err := d.Stat(ctx, path); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Stat(ctx, path); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInstantiate is a new instance up to its first reply.
func BenchmarkInstantiate(b *testing.B) {
	s := newStore(b)
	m := load(b, runtime.Config{Allow: egress.Origins(s.URL)})
	for b.Loop() {
		d, err := m.Open(b.Context(), map[string]any{"endpoint": s.URL})
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkResident reports the resident memory of an idle instance.
func BenchmarkResident(b *testing.B) {
	const n = 16
	d, s, m := open(b, runtime.Config{}, nil)
	s.set("/held", []byte("content"))
	before := resident(b)
	for b.Loop() {
		occupy(b, d, n)
	}
	b.ReportMetric(float64(resident(b)-before)/float64(n-1)/(1<<20), "MiB-resident/instance")
	b.ReportMetric(float64(m.Stats().MappedBytes)/float64(m.Stats().Instances)/(1<<20), "MiB-mapped/instance")
}

// occupy runs n calls at once, each in an instance of its own.
func occupy(t testing.TB, d storagedriver.Backend, n int) {
	gate := make(chan struct{})
	var in counter
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := d.Put(context.Background(), "/gate", gated{&in, int64(n), gate})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

type counter = atomic.Int64

// gated is a body that waits until n of them have been opened.
type gated struct {
	in   *counter
	n    int64
	gate chan struct{}
}

func (g gated) Size() int64 { return 1 }

func (g gated) Open(ctx context.Context) (io.ReadCloser, error) {
	if g.in.Add(1) == g.n {
		close(g.gate)
	}
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return io.NopCloser(strings.NewReader("x")), nil
}

func resident(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if errors.Is(err, os.ErrNotExist) {
		b.Skip("resident memory is read from /proc/self/statm, which this system does not have")
	}
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkSmall compares a HEAD through the guest with a native client's.
func BenchmarkSmall(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("wasm/callers=%d", callers), func(b *testing.B) {
			d, s, _ := open(b, runtime.Config{}, nil)
			s.set("/small", unique(100))
			occupy(b, d, callers)
			parallel(b, callers, func() error {
				_, err := d.Stat(context.Background(), "/small")
				return err
			})
		})
		b.Run(fmt.Sprintf("native/callers=%d", callers), func(b *testing.B) {
			s := newStore(b)
			s.set("/small", unique(100))
			tr := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
			defer tr.CloseIdleConnections()
			parallel(b, callers, func() error {
				req, err := http.NewRequest(http.MethodHead, s.URL+"/small", nil)
				if err != nil {
					return err
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					return err
				}
				return resp.Body.Close()
			})
		})
	}
}

func parallel(b *testing.B, callers int, f func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkRead compares 64 MiB through the guest with a native client's.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	content := unique(size)
	b.Run("wasm", func(b *testing.B) {
		d, s, _ := open(b, runtime.Config{}, nil)
		s.set("/big", content)
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			r, _, err := d.Read(context.Background(), "/big", 0, -1)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("native", func(b *testing.B) {
		s := newStore(b)
		s.set("/big", content)
		tr := &http.Transport{DisableCompression: true}
		defer tr.CloseIdleConnections()
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			req, _ := http.NewRequest(http.MethodGet, s.URL+"/big", nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 32<<10)); err != nil {
				b.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	})
}
