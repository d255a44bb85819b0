package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	large = 256 << 20
	small = 4 << 10
)

// work is one thing to compare.
type work struct {
	name    string
	unit    string  // of the rate
	per     float64 // how much of it one operation is
	callers int
	bulk    bool // one operation takes a round
	floor   float64
	op      func(ctx context.Context, d storagedriver.StorageDriver, caller int) error
}

// works lists what is compared; what is written is taken from content.
func works(content []byte) []work {
	list := []work{
		{name: "read 256 MiB", unit: "MiB/s", per: large >> 20, callers: 1, bulk: true, floor: 0.9, op: readLarge},
		{name: "write 256 MiB, one Put", unit: "MiB/s", per: large >> 20, callers: 1, bulk: true, floor: 0.85,
			op: func(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
				return d.PutContent(ctx, "/bench/put", content)
			}},
		{name: "write 256 MiB, upload in segments", unit: "MiB/s", per: large >> 20, callers: 1, bulk: true, floor: 0.85,
			op: func(ctx context.Context, d storagedriver.StorageDriver, _ int) error { return upload(ctx, d, content) }},
	}
	for _, callers := range []int{1, 8, 64} {
		list = append(list,
			work{name: "Stat", unit: "1/s", per: 1, callers: callers, floor: 0.85,
				op: func(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
					_, err := d.Stat(ctx, "/bench/small")
					return err
				}},
			work{name: "read 4 KiB", unit: "1/s", per: 1, callers: callers, floor: 0.85, op: readSmall},
			work{name: "put 4 KiB", unit: "1/s", per: 1, callers: callers, floor: 0.85,
				op: func(ctx context.Context, d storagedriver.StorageDriver, caller int) error {
					return d.PutContent(ctx, fmt.Sprintf("/bench/put-%d", caller), content[:small])
				}})
	}
	return list
}

// prepare stores what is read.
func prepare(ctx context.Context, d storagedriver.StorageDriver, content []byte) error {
	for path, size := range map[string]int{"/bench/small": small, "/bench/large": large, "/bench/medium": 16 << 20} {
		if err := d.PutContent(ctx, path, content[:size]); err != nil {
			return err
		}
	}
	return nil
}

func readLarge(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
	return read(ctx, d, "/bench/large", make([]byte, 256<<10), large)
}

var smallBuffers = sync.Pool{New: func() any { b := make([]byte, small); return &b }}

func readSmall(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
	b := smallBuffers.Get().(*[]byte)
	defer smallBuffers.Put(b)
	return read(ctx, d, "/bench/small", *b, small)
}

func read(ctx context.Context, d storagedriver.StorageDriver, path string, buffer []byte, want int64) error {
	r, err := d.Reader(ctx, path, 0)
	if err != nil {
		return err
	}
	var got int64
	for {
		n, err := r.Read(buffer)
		got += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			_ = r.Close() // the read's failure is the error to tell
			return err
		}
	}
	if got != want {
		return fmt.Errorf("read %s: %d bytes, not %d", path, got, want)
	}
	return r.Close()
}

func upload(ctx context.Context, d storagedriver.StorageDriver, content []byte) error {
	w, err := d.Writer(ctx, "/bench/upload", false)
	if err != nil {
		return err
	}
	for at := 0; at < len(content) && err == nil; at += 1 << 20 {
		_, err = w.Write(content[at : at+1<<20])
	}
	if err == nil {
		err = w.Commit(ctx)
	}
	if closing := w.Close(); err == nil {
		err = closing
	}
	return err
}

// measured is what a slice of a round gave.
type measured struct {
	rate float64 // of the work's unit, a second
	cpu  float64 // microseconds of processor time in this process for each operation
}

// measure runs the work on d for about slice, or once.
func (w *work) measure(ctx context.Context, d storagedriver.StorageDriver, slice time.Duration) (measured, error) {
	counts, failures := make([]int, w.callers), make([]error, w.callers)
	begin, used := time.Now(), processor()
	var group sync.WaitGroup
	for i := range w.callers {
		group.Go(func() {
			for failures[i] == nil {
				if failures[i] = w.op(ctx, d, i); failures[i] == nil {
					counts[i]++
				}
				if w.bulk || time.Since(begin) >= slice {
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	used = processor() - used
	total := 0
	for i := range w.callers {
		if failures[i] != nil {
			return measured{}, fmt.Errorf("%s with %d callers: %w", w.name, w.callers, failures[i])
		}
		total += counts[i]
	}
	return measured{
		rate: float64(total) * w.per / took.Seconds(),
		cpu:  float64(used.Microseconds()) / float64(total),
	}, nil
}

// processor returns the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
