//go:build unix

package filesystem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	distribution "github.com/distribution/distribution/v3/registry/storage/driver"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
)

// BenchmarkAgainstDistribution measures distribution's filesystem driver, ours behind the gate, and
// distribution's once more, in rounds whose order turns. One iteration is one round. "speedup" is the
// median, over the rounds, of distribution's time (the mean of the two) by ours, with its quartiles;
// "control" is that of distribution's first time by its second: what differs between equals is noise.
// "speedup-cpu" compares processor time, which tells more while others use the machine.
//
//	go test -run '^$' -bench AgainstDistribution -benchtime 21x ./drivers/filesystem
func BenchmarkAgainstDistribution(b *testing.B) {
	for _, w := range []struct {
		name string
		make func(b *testing.B, p *pair) func(side string, round int) error
	}{
		{"walk/100000", walking(1000, 100)},
		{"walk/blobs", walkingBlobs(5000)},
		{"put/4KiB", putting(4<<10, 40)},
		{"get/4KiB", getting(4<<10, 1000)},
		{"push/64MiB", pushing(64 << 20)},
		{"pull/64MiB", pulling(64 << 20)},
	} {
		b.Run(w.name, func(b *testing.B) {
			p := newPair(b)
			p.measure(b, w.make(b, p))
		})
	}
}

// pair is two drivers on one root directory.
type pair struct {
	theirs distribution.StorageDriver
	ours   storagedriver.StorageDriver
	root   string
}

func newPair(b *testing.B) *pair {
	b.Helper()
	parent := b.TempDir()
	if dir := os.Getenv("BERTH_BENCH_DIR"); dir != "" {
		var err error
		if parent, err = os.MkdirTemp(dir, "bench-"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(parent) })
	}
	p := &pair{root: parent}
	p.theirs = theirs.New(theirs.DriverParameters{RootDirectory: parent, MaxThreads: 100})
	backend, err := filesystem.Open(b.Context(), map[string]any{"rootdirectory": parent})
	if err != nil {
		b.Fatal(err)
	}
	p.ours = layers.Complete(backend)
	b.Cleanup(func() { _ = p.ours.Close() })
	return p
}

// measure runs b.N rounds after one that warms up.
func (p *pair) measure(b *testing.B, run func(side string, round int) error) {
	b.Helper()
	var speedups, controls, times, cpuTimes, cpus []float64
	b.ResetTimer()
	for round := range b.N + 1 {
		var took, cpu [3]time.Duration
		sides := [3]string{"theirs", "ours", "theirs"}
		runtime.GC() // a round does not pay for the one before
		for i := range sides {
			if round%2 == 1 {
				i = len(sides) - 1 - i
			}
			begin, used := time.Now(), cpuTime(b)
			if err := run(sides[i], 3*round+i); err != nil {
				b.Fatalf("%s: %v", sides[i], err)
			}
			took[i], cpu[i] = time.Since(begin), cpuTime(b)-used
		}
		if round == 0 {
			continue
		}
		speedups = append(speedups, float64(took[0]+took[2])/2/float64(took[1]))
		controls = append(controls, float64(took[0])/float64(took[2]))
		cpus = append(cpus, float64(cpu[0]+cpu[2])/2/float64(cpu[1]))
		cpuTimes = append(cpuTimes, cpu[1].Seconds()*1000)
		times = append(times, took[1].Seconds()*1000)
	}
	b.ReportMetric(quartile(speedups, 2), "speedup")
	b.ReportMetric(quartile(speedups, 1), "speedup-q1")
	b.ReportMetric(quartile(speedups, 3), "speedup-q3")
	b.ReportMetric(quartile(controls, 2), "control")
	b.ReportMetric(quartile(cpus, 2), "speedup-cpu")
	b.ReportMetric(quartile(times, 2), "ours-ms")
	b.ReportMetric(quartile(cpuTimes, 2), "ours-cpu-ms")
}

// cpuTime is what this process has used of processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func quartile(v []float64, n int) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[(len(s)-1)*n/4]
}

// write makes a file as it is, without a sync.
func (p *pair) write(b *testing.B, path string, content []byte) {
	b.Helper()
	name := filepath.Join(p.root, path)
	err := os.WriteFile(name, content, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), 0o777); err == nil {
			err = os.WriteFile(name, content, 0o666)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
}

func walking(dirs, files int) func(*testing.B, *pair) func(string, int) error {
	return func(b *testing.B, p *pair) func(string, int) error {
		for d := range dirs {
			for f := range files {
				p.write(b, fmt.Sprintf("docker/registry/v2/repositories/group/d%04d/_layers/f%04d", d, f), []byte("0123456789"))
			}
		}
		return p.walk(dirs*files, "/docker/registry/v2/repositories")
	}
}

// walkingBlobs is the blob store: a directory for each blob.
func walkingBlobs(blobs int) func(*testing.B, *pair) func(string, int) error {
	return func(b *testing.B, p *pair) func(string, int) error {
		for i := range blobs {
			digest := fmt.Sprintf("%02x%062x", i%256, i)
			p.write(b, "docker/registry/v2/blobs/sha256/"+digest[:2]+"/"+digest+"/data", []byte("0123456789"))
		}
		return p.walk(blobs, "/docker/registry/v2/blobs")
	}
}

func (p *pair) walk(files int, path string) func(string, int) error {
	return func(side string, _ int) error {
		var n, size int64
		var err error
		if side == "ours" {
			err = p.ours.Walk(context.Background(), path, func(info storagedriver.FileInfo) error {
				if !info.IsDir() {
					n, size = n+1, size+info.Size()
				}
				return nil
			})
		} else {
			err = p.theirs.Walk(context.Background(), path, func(info distribution.FileInfo) error {
				if !info.IsDir() {
					n, size = n+1, size+info.Size()
				}
				return nil
			})
		}
		if err == nil && (n != int64(files) || size != 10*n) {
			err = fmt.Errorf("%d files with %d bytes", n, size)
		}
		return err
	}
}

// linkPath is where a registry keeps the n-th layer's link: each in a directory of its own.
func linkPath(round, n int) string {
	return fmt.Sprintf("/docker/registry/v2/repositories/group/app/_layers/sha256/%032x%032x/link", round, n)
}

func putting(size, count int) func(*testing.B, *pair) func(string, int) error {
	return func(_ *testing.B, p *pair) func(string, int) error {
		content := make([]byte, size)
		return func(side string, round int) error {
			for n := range count {
				var err error
				if side == "ours" {
					err = p.ours.PutContent(context.Background(), linkPath(round, n), content)
				} else {
					err = p.theirs.PutContent(context.Background(), linkPath(round, n), content)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func getting(size, count int) func(*testing.B, *pair) func(string, int) error {
	return func(b *testing.B, p *pair) func(string, int) error {
		p.write(b, linkPath(0, 0), make([]byte, size))
		return func(side string, _ int) error {
			for range count {
				var content []byte
				var err error
				if side == "ours" {
					content, err = p.ours.GetContent(context.Background(), linkPath(0, 0))
				} else {
					content, err = p.theirs.GetContent(context.Background(), linkPath(0, 0))
				}
				if err == nil && len(content) != size {
					err = fmt.Errorf("%d bytes of %d", len(content), size)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// pushing does what a registry does for a blob: a writer, written in pieces of 32 KiB as net/http gives
// them, is committed, and the upload moved to the blob's place and its directory deleted.
func pushing(size int) func(*testing.B, *pair) func(string, int) error {
	return func(_ *testing.B, p *pair) func(string, int) error {
		piece := make([]byte, 32<<10)
		return func(side string, round int) error {
			upload := fmt.Sprintf("/docker/registry/v2/repositories/group/app/_uploads/%d", round)
			blob := fmt.Sprintf("/docker/registry/v2/blobs/sha256/aa/%d/data", round)
			var w io.WriteCloser
			var commit func() error
			ctx := context.Background()
			if side == "ours" {
				fw, err := p.ours.Writer(ctx, upload+"/data", false)
				if err != nil {
					return err
				}
				w, commit = fw, func() error { return fw.Commit(ctx) }
			} else {
				fw, err := p.theirs.Writer(ctx, upload+"/data", false)
				if err != nil {
					return err
				}
				w, commit = fw, func() error { return fw.Commit(ctx) }
			}
			for range size / len(piece) {
				if _, err := w.Write(piece); err != nil {
					return err
				}
			}
			if err := commit(); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			if side == "ours" {
				if err := p.ours.Move(ctx, upload+"/data", blob); err != nil {
					return err
				}
				return p.ours.Delete(ctx, upload)
			}
			if err := p.theirs.Move(ctx, upload+"/data", blob); err != nil {
				return err
			}
			return p.theirs.Delete(ctx, upload)
		}
	}
}

func pulling(size int) func(*testing.B, *pair) func(string, int) error {
	return func(b *testing.B, p *pair) func(string, int) error {
		p.write(b, "/blob", make([]byte, size))
		return func(side string, _ int) error {
			var r io.ReadCloser
			var err error
			if side == "ours" {
				r, err = p.ours.Reader(context.Background(), "/blob", 0)
			} else {
				r, err = p.theirs.Reader(context.Background(), "/blob", 0)
			}
			if err != nil {
				return err
			}
			defer r.Close()
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 32<<10))
			if err == nil && n != int64(size) {
				err = fmt.Errorf("%d bytes of %d", n, size)
			}
			return err
		}
	}
}
