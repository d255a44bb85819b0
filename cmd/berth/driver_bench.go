package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/runtime"
)

func (a *app) driverBenchCommand() *cobra.Command {
	var (
		n      named
		params []string
		o      benchOptions
	)
	c := &cobra.Command{
		Use:   "bench [FILE|NAME|DIR]",
		Short: "Measure a driver beside the one in memory",
		Long: `Measures a driver and, in turns with it, the compiled-in driver inmemory, so that what the machine does meanwhile is in both: operations each
second, how long the median and the slowest of a hundred take, and the throughput of large contents. The ratio is the driver's by inmemory's. Of a
sandboxed driver the memory of its instances is shown too. It writes below /bench-N, which it removes. DIR is a project that was built.`,
		Example: "  berth driver bench\n  berth driver bench webdav.wasm --config section.yml --parallel 8\n  berth driver bench ./mystore --time 5s --output json",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter of the driver, key=value; a.b=value is b in the map a (repeatable)")
	c.Flags().StringArrayVar(&n.allow, "allow", nil, allowUsage)
	c.Flags().StringVar(&n.config, "config", "", configUsage)
	c.Flags().DurationVar(&o.time, "time", 2*time.Second, "how long each operation is measured, on each driver")
	c.Flags().IntVar(&o.parallel, "parallel", 1, "how many callers there are")
	c.Flags().Int64Var(&o.size, "size", 16<<20, "the bytes of a large content")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case o.time <= 0 || o.parallel < 1 || o.parallel > 1024 || o.size < 1:
			return usageError{errors.New("--time and --size have to be more than 0, --parallel 1 to 1024")}
		}
		subject, err := a.subjectOf(args)
		if err != nil {
			return err
		}
		n.name, n.section = subject.name, subject.section
		if n.parameters, err = parseParams(params); err != nil {
			return err
		}
		return a.bench(c.Context(), n, o, *output)
	}
	return c
}

type benchOptions struct {
	time     time.Duration
	parallel int
	size     int64
}

// figures are what was measured of one operation on one driver.
type figures struct {
	PerSecond      float64 `json:"perSecond"`
	MedianMicros   float64 `json:"medianMicros"`
	P99Micros      float64 `json:"p99Micros"`
	BytesPerSecond float64 `json:"bytesPerSecond,omitempty"`
}

// benchRow is one operation.
type benchRow struct {
	Operation string  `json:"operation"`
	Driver    figures `json:"driver"`
	Inmemory  figures `json:"inmemory"`
	Ratio     float64 `json:"ratio"` // of what is done each second
}

// benchReport is what --output json prints.
type benchReport struct {
	Driver   string     `json:"driver"`
	Parallel int        `json:"parallel"`
	Rows     []benchRow `json:"operations"`
	// InstanceBytes is the linear memory of a sandboxed driver's instances at the end, Instances how many there are.
	InstanceBytes int64 `json:"instanceBytes,omitempty"`
	Instances     int   `json:"instances,omitempty"`
}

// turns is how often the two drivers take turns: one that is measured while the machine does something else is not measured alone.
const turns = 4

func (a *app) bench(ctx context.Context, n named, o benchOptions, output format) error {
	drivers := a.compose()
	var modules []*runtime.Module
	drivers.loaded = func(m *runtime.Module) { modules = append(modules, m) }
	s, err := drivers.storage(n)
	if err != nil {
		return err
	}
	d, err := s.open(ctx)
	if err != nil {
		return err
	}
	beside := s.complete(inmemory.New())
	r := benchReport{Driver: n.name, Parallel: o.parallel}
	err = benchAll(ctx, d, beside, o, func(row benchRow) { r.Rows = append(r.Rows, row) }, newProgress(a.stderr))
	for _, m := range modules {
		stats := m.Stats()
		r.InstanceBytes, r.Instances = r.InstanceBytes+stats.MappedBytes, r.Instances+stats.Instances
	}
	if err = closing(closing(err, d.Close()), beside.Close()); err != nil {
		return err
	}
	if output == formatJSON {
		return printJSON(a.stdout, r)
	}
	return a.printBench(r)
}

func (a *app) printBench(r benchReport) error {
	rows := [][]string{{"OPERATION", "PER SECOND", "MEDIAN", "P99", "THROUGHPUT", "INMEMORY", "MEDIAN", "P99", "RATIO"}}
	micros := func(v float64) string {
		return time.Duration(v * float64(time.Microsecond)).Round(100 * time.Nanosecond).String()
	}
	for _, row := range r.Rows {
		through := "-"
		if v := row.Driver.BytesPerSecond; v > 0 {
			through = strconv.FormatFloat(v/(1<<20), 'f', 0, 64) + " MiB/s"
		}
		rows = append(rows, []string{
			row.Operation, fmt.Sprintf("%.0f", row.Driver.PerSecond), micros(row.Driver.MedianMicros), micros(row.Driver.P99Micros), through,
			fmt.Sprintf("%.0f", row.Inmemory.PerSecond), micros(row.Inmemory.MedianMicros), micros(row.Inmemory.P99Micros), fmt.Sprintf("%.2f", row.Ratio),
		})
	}
	if err := printTable(a.stdout, rows); err != nil {
		return err
	}
	if r.Instances == 0 {
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "%d instances have %d KiB of memory\n", r.Instances, r.InstanceBytes>>10)
	return err
}

// measured is one operation of the benchmark: i counts its calls, by all callers.
type measured struct {
	name  string
	bytes int64 // that a call moves
	run   func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error
	after func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error // outside of what is measured; nil is nothing
}

// benchFiles is how many files there are to be listed.
const benchFiles = 100

func measuredOperations(size int64) []measured {
	small := make([]byte, 1024)
	file := func(dir string, i int) string { return fmt.Sprintf("%s/files/%d", dir, i%benchFiles) }
	return []measured{
		{"put of 1 KiB", 0, func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error {
			return d.PutContent(ctx, file(dir, i), small)
		}, nil},
		{"stat", 0, func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error {
			_, err := d.Stat(ctx, file(dir, i))
			return err
		}, nil},
		{"get of 1 KiB", 0, func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error {
			_, err := d.GetContent(ctx, file(dir, i))
			return err
		}, nil},
		{"list of 100", 0, func(ctx context.Context, d storagedriver.StorageDriver, dir string, _ int) error {
			_, err := d.List(ctx, dir+"/files")
			return err
		}, nil},
		{"write", size, func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error {
			return upload(ctx, d, fmt.Sprintf("%s/large-%d", dir, i), size)
		}, func(ctx context.Context, d storagedriver.StorageDriver, dir string, i int) error {
			return d.Delete(ctx, fmt.Sprintf("%s/large-%d", dir, i))
		}},
		{"read", size, func(ctx context.Context, d storagedriver.StorageDriver, dir string, _ int) error {
			r, err := d.Reader(ctx, dir+"/large", 0)
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, r)
			if err == nil && n != size {
				err = fmt.Errorf("read %d of %d bytes", n, size)
			}
			return errors.Join(err, r.Close())
		}, nil},
	}
}

// upload writes zeros to path. What fails is cancelled.
func upload(ctx context.Context, d storagedriver.StorageDriver, path string, size int64) error {
	w, err := d.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	if _, err = io.CopyN(w, zeros{}, size); err == nil {
		err = w.Commit(ctx)
	}
	if err != nil {
		err = errors.Join(err, w.Cancel(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, w.Close())
}

func benchAll(ctx context.Context, d, beside storagedriver.StorageDriver, o benchOptions, report func(benchRow), bar *progress) (err error) {
	dir := fmt.Sprintf("/bench-%d", time.Now().UnixNano())
	defer func() {
		bar.clear()
		for _, d := range []storagedriver.StorageDriver{d, beside} {
			if gone := d.Delete(context.WithoutCancel(ctx), dir); storagedriver.KindOf(gone) != storagedriver.KindNotFound {
				err = errors.Join(err, gone)
			}
		}
	}()
	for _, d := range []storagedriver.StorageDriver{d, beside} {
		for i := range benchFiles {
			if err := d.PutContent(ctx, fmt.Sprintf("%s/files/%d", dir, i), make([]byte, 1024)); err != nil {
				return err
			}
		}
		if err := upload(ctx, d, dir+"/large", o.size); err != nil {
			return err
		}
	}
	for _, m := range measuredOperations(o.size) {
		var took [2][]time.Duration
		var spent [2]time.Duration
		for turn := range turns {
			for i := range 2 {
				i = (i + turn) % 2 // the garbage of one is collected in the turn of the other
				d := []storagedriver.StorageDriver{d, beside}[i]
				bar.show("%s: %d of %d", m.name, turn*2+i+1, 2*turns)
				times, all, err := m.measure(ctx, d, dir, o)
				if err != nil {
					return err
				}
				took[i], spent[i] = append(took[i], times...), spent[i]+all
			}
		}
		row := benchRow{Operation: m.name, Driver: m.figures(took[0], spent[0]), Inmemory: m.figures(took[1], spent[1])}
		row.Ratio = row.Driver.PerSecond / row.Inmemory.PerSecond
		report(row)
	}
	return nil
}

// measure runs the operation for a turn, and returns how long each call took, and all of them as its callers made them side by side.
func (m measured) measure(ctx context.Context, d storagedriver.StorageDriver, dir string, o benchOptions) (times []time.Duration, all time.Duration, err error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	begin := time.Now()
	for caller := range o.parallel {
		group.Go(func() {
			var (
				own  []time.Duration
				busy time.Duration
			)
			for i := caller; ; i += o.parallel {
				from := time.Now()
				failed := m.run(ctx, d, dir, i)
				took := time.Since(from)
				own, busy = append(own, took), busy+took
				if failed == nil && m.after != nil {
					failed = m.after(ctx, d, dir, i)
				}
				if failed != nil || time.Since(begin) >= o.time/turns {
					mu.Lock()
					defer mu.Unlock()
					times, err = append(times, own...), errors.Join(err, failed)
					all += busy / time.Duration(o.parallel)
					return
				}
			}
		})
	}
	group.Wait()
	return times, all, err
}

func (m measured) figures(took []time.Duration, spent time.Duration) figures {
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[max(0, int(math.Ceil(share*float64(len(took))))-1)]) / float64(time.Microsecond)
	}
	f := figures{PerSecond: float64(len(took)) / spent.Seconds(), MedianMicros: at(0.5), P99Micros: at(0.99)}
	f.BytesPerSecond = f.PerSecond * float64(m.bytes)
	return f
}
