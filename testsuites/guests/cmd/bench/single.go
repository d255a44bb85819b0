package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	wasm "github.com/berth-dev/storagedriver/runtime"
)

// singles prints the table of what has no other half.
func singles(ctx context.Context, e *environment, o options) error {
	type line struct {
		name, aim string
		measure   func(context.Context, *environment, options) (string, error)
	}
	header := false
	for _, l := range []line{
		{"message through dispatch, 200 bytes each way", "<= 5 µs", message},
		{"instantiate, open and close", "", instantiate},
		{"resident memory of an idle instance", "<= 6 MiB", resident},
		{"allocations of reading 256 MiB against 16 MiB", "at most 5 % above", allocations},
	} {
		if !o.run.MatchString(l.name) {
			continue
		}
		if !header {
			fmt.Printf("\n| What | Measured | Wanted |\n|---|---|---|\n")
			header = true
		}
		fmt.Fprintln(os.Stderr, l.name)
		text, err := l.measure(ctx, e, o)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		fmt.Printf("| %s | %s | %s |\n", l.name, text, l.aim)
	}
	return nil
}

// message lists a directory of the driver that asks nobody: a path of 160 bytes is a request of about 200, and
// is answered by a cursor as long.
func message(ctx context.Context, e *environment, o options) (string, error) {
	b, err := e.nop.Open(ctx, nil)
	if err != nil {
		return "", err
	}
	defer b.Close()
	path := "/" + strings.Repeat("p", 169)
	n := 100_000
	if o.quick {
		n = 10_000
	}
	var times []float64
	for range 7 {
		begin := time.Now()
		for range n {
			if page, err := b.List(ctx, path, "", 1000); err != nil || page.Cursor != path {
				return "", fmt.Errorf("want the path back, got %q, %w", page.Cursor, err)
			}
		}
		times = append(times, float64(time.Since(begin).Nanoseconds())/1000/float64(n))
	}
	return fmt.Sprintf("%.1f µs", median(times)), nil
}

func instantiate(ctx context.Context, e *environment, o options) (string, error) {
	n := 60
	if o.quick {
		n = 10
	}
	var times []float64
	for range n {
		begin := time.Now()
		b, err := e.webdav.Open(ctx, e.params)
		if err != nil {
			return "", err
		}
		if err := b.Close(); err != nil {
			return "", err
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f ms", median(times)), nil
}

// resident makes instances by having as many calls in flight, and compares what the process holds before
// and after. Each has answered some calls by then.
func resident(ctx context.Context, e *environment, _ options) (string, error) {
	const n = 32
	before, err := rss()
	if err != nil {
		return "", err
	}
	idle := e.webdav.Stats().Instances
	b, err := e.webdav.Open(ctx, e.params)
	if err != nil {
		return "", err
	}
	defer b.Close()
	for range 3 {
		if err := atOnce(ctx, b, n); err != nil {
			return "", err
		}
	}
	made := e.webdav.Stats().Instances - idle
	after, err := rss()
	if err != nil {
		return "", err
	}
	if made < n {
		return "", fmt.Errorf("%d calls in flight made %d instances", n, made)
	}
	return fmt.Sprintf("%.1f MiB (%d instances, %.1f MiB mapped each)", (after-before)/float64(made)/(1<<20), made, mapped(e.webdav)), nil
}

func mapped(m *wasm.Module) float64 {
	s := m.Stats()
	return float64(s.MappedBytes) / float64(max(s.Instances, 1)) / (1 << 20)
}

// atOnce has n calls under way at the same time: none ends before all have an instance.
func atOnce(ctx context.Context, b storagedriver.Backend, n int) error {
	var under atomic.Int64
	all := make(chan struct{})
	failures := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			var once sync.Once
			failures[i] = b.Put(ctx, "/bench/at-once-"+strconv.Itoa(i), held{func() {
				once.Do(func() {
					if under.Add(1) == int64(n) {
						close(all)
					}
				})
				<-all
			}})
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// held is a body of one byte that waits before it is opened.
type held struct{ wait func() }

func (held) Size() int64 { return 1 }

func (h held) Open(ctx context.Context) (io.ReadCloser, error) {
	h.wait()
	return storagedriver.BytesSource("x").Open(ctx)
}

// rss returns the bytes that the process holds in memory, as Linux counts them.
func rss() (float64, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm has %q", text)
	}
	pages, err := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize()), err
}

// allocations counts what one read allocates, the reader's buffer apart: the least of several counts, because
// what else the process does in the meantime only adds.
func allocations(ctx context.Context, e *environment, _ options) (string, error) {
	if err := prepare(ctx, e.sides[0], e.content); err != nil {
		return "", err
	}
	d, buffer := e.sides[1], make([]byte, 256<<10)
	count := func(path string, size int64) (objects, total float64, err error) {
		var all, sizes []float64
		for range 21 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			if err := read(ctx, d, path, buffer, size); err != nil {
				return 0, 0, err
			}
			runtime.ReadMemStats(&after)
			all = append(all, float64(after.Mallocs-before.Mallocs))
			sizes = append(sizes, float64(after.TotalAlloc-before.TotalAlloc))
		}
		return slices.Min(all), slices.Min(sizes), nil
	}
	objects16, bytes16, err := count("/bench/medium", 16<<20)
	if err != nil {
		return "", err
	}
	objects256, bytes256, err := count("/bench/large", large)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%.0f against %.0f objects (%+.1f %%), %.1f against %.1f KiB (%+.1f %%)", objects256, objects16, 100*(objects256/objects16-1),
		bytes256/1024, bytes16/1024, 100*(bytes256/bytes16-1)), nil
}
