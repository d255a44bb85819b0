package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// uploadsVariable tells this binary that it is what uploads: an uploading as JSON.
const uploadsVariable = "BERTH_BENCH_UPLOADS"

const (
	uploadBytes = 128 << 20
	// overBudget is what the process may take beside its writers' budget.
	overBudget = 64 << 20
)

// uploading is many uploads at the same time in a process of their own, so that the most
// memory it ever had is theirs.
type uploading struct {
	Driver  string // filesystem or parts
	Place   string // the root directory, or the store's URL
	Module  string
	Cache   string
	Budget  int64
	Uploads int
}

// uploaded is what the process says at its end.
type uploaded struct {
	Peak      int64 // bytes at the most
	Started   int64 // bytes before the first upload
	Resident  int64 // at the most, pages that are mapped often counted as often
	Instances int   // of the guest, at the end
	Seconds   float64
	InUse     int64 // bytes of the budget, at the end
}

// memory prints the table of what many uploads need.
func memory(ctx context.Context, cache string, o options) error {
	header := false
	for _, driver := range []string{"filesystem", "parts"} {
		for _, budget := range []int64{256 << 20, 64 << 20} {
			u := uploading{Driver: driver, Cache: cache, Budget: budget, Uploads: 64}
			if o.quick {
				u.Uploads = 16
			}
			name := fmt.Sprintf("%d uploads of %d MiB, %s, budget %d MiB", u.Uploads, uploadBytes>>20, driver, budget>>20)
			if !o.run.MatchString(name) {
				continue
			}
			fmt.Fprintln(os.Stderr, name)
			r, err := u.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !header {
				fmt.Printf("\n| Uploads at the same time | Most memory | Wanted | Before the first | Instances | Took |\n|---|---|---|---|---|---|\n")
				header = true
			}
			fmt.Fprintf(os.Stderr, "resident at the most, shared pages counted for each mapping: %.0f MiB\n", mib(r.Resident))
			fmt.Printf("| %s | %.0f MiB | <= %d MiB | %.0f MiB | %d | %.0f s, %.0f MiB/s |\n", name, mib(r.Peak), (budget+overBudget)>>20,
				mib(r.Started), r.Instances, r.Seconds, float64(u.Uploads)*mib(uploadBytes)/r.Seconds)
		}
	}
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// measure runs the process, and reads what it committed.
func (u uploading) measure(ctx context.Context) (r uploaded, err error) {
	dir, err := os.MkdirTemp("", "berth-bench-uploads-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	u.Place = dir
	if u.Driver == "parts" {
		s, err := startServer(ctx, partServer)
		if err != nil {
			return r, err
		}
		defer s.stop()
		u.Place = s.url
		if u.Module, err = guestbuild.Build(ctx, "parts"); err != nil {
			return r, err
		}
		// The process that measures is not to compile.
		if _, _, done, err := u.open(ctx); err != nil {
			return r, err
		} else if err := done(); err != nil {
			return r, err
		}
	}
	if r, err = u.run(ctx); err != nil {
		return r, err
	}
	if r.InUse != 0 {
		return r, fmt.Errorf("%d bytes of the budget were not given back", r.InUse)
	}
	d, _, done, err := u.open(ctx)
	if err != nil {
		return r, err
	}
	for i := range u.Uploads {
		if err = verify(ctx, d, i); err != nil {
			break
		}
	}
	return r, errors.Join(err, done())
}

func (u uploading) run(ctx context.Context) (r uploaded, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	text, err := json.Marshal(u)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), uploadsVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// uploads is the other end of run.
func uploads(ctx context.Context, text string) error {
	var u uploading
	if err := json.Unmarshal([]byte(text), &u); err != nil {
		return err
	}
	d, m, done, err := u.open(ctx)
	if err != nil {
		return err
	}
	var r uploaded
	debug.FreeOSMemory() // what loading a module leaves, as berth serve does
	if r.Started, err = size(rollup, "Pss"); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	peak := make(chan error, 1)
	go func() { peak <- highest(watching, &r.Peak) }()
	begin := time.Now()
	failures := make([]error, u.Uploads)
	var group sync.WaitGroup
	for i := range u.Uploads {
		group.Go(func() { failures[i] = uploadOne(ctx, d, i) })
	}
	group.Wait()
	r.Seconds = time.Since(begin).Seconds()
	r.InUse = u.budget().InUse()
	stop()
	failures = append(failures, <-peak)
	if r.Resident, err = size("/proc/self/status", "VmHWM"); err != nil {
		return err
	}
	if m != nil {
		r.Instances = m.Stats().Instances
	}
	if err := errors.Join(append(failures, done())...); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// budget is the one of the process.
func (u uploading) budget() *chunked.Budget { return processBudget(u.Budget) }

var budgets = map[int64]*chunked.Budget{}

func processBudget(size int64) *chunked.Budget {
	if budgets[size] == nil {
		budgets[size] = chunked.NewBudget(size)
	}
	return budgets[size]
}

func (u uploading) open(ctx context.Context) (storagedriver.StorageDriver, *runtime.Module, func() error, error) {
	budget := layers.WithBudget(u.budget())
	if u.Driver == "filesystem" {
		b, err := filesystem.Open(ctx, map[string]any{"rootdirectory": u.Place})
		if err != nil {
			return nil, nil, nil, err
		}
		d := layers.Complete(b, budget)
		return d, nil, d.Close, nil
	}
	m, err := runtime.Load(ctx, u.Module, runtime.Config{Allow: egress.Origins(u.Place), CacheDir: u.Cache, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := m.Open(ctx, map[string]any{"endpoint": u.Place})
	if err != nil {
		return nil, nil, nil, errors.Join(err, m.Close(context.WithoutCancel(ctx)))
	}
	d := layers.Complete(b, budget)
	return d, m, func() error { return errors.Join(d.Close(), m.Close(context.WithoutCancel(ctx))) }, nil
}

func uploadPath(i int) string { return "/uploads/" + strconv.Itoa(i) }

// fill puts into p what upload i has from offset on: words that occur once in all of them.
func fill(p []byte, i int, offset int64) {
	for at := 0; at < len(p); at += 8 {
		binary.LittleEndian.PutUint64(p[at:], uint64(i)<<40|uint64(offset+int64(at)))
	}
}

// uploadOne writes pieces of 32 KiB, as a registry does.
func uploadOne(ctx context.Context, d storagedriver.StorageDriver, i int) error {
	w, err := d.Writer(ctx, uploadPath(i), false)
	if err != nil {
		return err
	}
	piece := make([]byte, 32<<10)
	for offset := int64(0); offset < uploadBytes && err == nil; offset += int64(len(piece)) {
		fill(piece, i, offset)
		_, err = w.Write(piece)
	}
	if err == nil {
		err = w.Commit(ctx)
	}
	return errors.Join(err, w.Close())
}

// verify reads what upload i committed.
func verify(ctx context.Context, d storagedriver.StorageDriver, i int) error {
	r, err := d.Reader(ctx, uploadPath(i), 0)
	if err != nil {
		return err
	}
	defer r.Close()
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	for offset := int64(0); offset < uploadBytes; offset += int64(len(got)) {
		if _, err := io.ReadFull(r, got); err != nil {
			return err
		}
		if fill(want, i, offset); !bytes.Equal(got, want) {
			return fmt.Errorf("%s: other bytes than were written, in the MiB at offset %d", uploadPath(i), offset)
		}
	}
	if n, err := r.Read(got); n != 0 || err != io.EOF {
		return fmt.Errorf("%s goes on after %d bytes: %d more, %w", uploadPath(i), uploadBytes, n, err)
	}
	return nil
}

// rollup is the file with what a process has in memory. In Pss a page that is mapped n times, as those
// that instances of a guest share are, counts for one nth each time.
const rollup = "/proc/self/smaps_rollup"

// highest keeps in most the highest Pss until ctx ends.
func highest(ctx context.Context, most *int64) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := size(rollup, "Pss")
		if err != nil {
			return err
		}
		*most = max(*most, n)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// size returns a size in one of Linux's files about this process, in bytes.
func size(file, key string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != key {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return kib << 10, err
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}
