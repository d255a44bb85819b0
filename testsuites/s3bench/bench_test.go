//go:build servers

package s3bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

const (
	bucket = "registry"
	// latency is that of the link: 10 ms in each direction.
	latency = 20 * time.Millisecond
	// atOnce is how many layers one client pushes at a time, as crane does; docker pushes 5, skopeo 6.
	atOnce = 4

	minLinkRate = 1e9 // bytes per second
)

// sizes say how much a run does.
type sizes struct {
	layer, small          int64
	many, walked, deleted int
	rounds                int
	linkBytes             int64
	repeats, farRepeats   int
	budgets               []int64
	floors                bool
}

func fromFlags() sizes {
	return sizes{*layer, *small, *many, *walked, *deleted, *rounds, 2 << 30, *repeats, *repeats / 20, []int64{256 << 20, 64 << 20}, *floors}
}

// BenchmarkBesideDistribution measures and prints the tables of docs/performance.md. One iteration is all rounds: run it with -benchtime 1x.
func BenchmarkBesideDistribution(b *testing.B) { benchmark(b, (*bench).besideDistribution) }

// BenchmarkSandboxed measures the driver in Rust, in the sandbox, beside distribution's native driver and ours.
func BenchmarkSandboxed(b *testing.B) { benchmark(b, (*bench).sandboxed) }

func benchmark(b *testing.B, measure func(*bench, runner)) {
	begin := time.Now()
	x := newBench(b, *service, fromFlags())
	measure(x, func(name string, f func(testing.TB)) {
		b.Run(name, func(b *testing.B) { f(b) })
	})
	x.report.print(os.Stdout)
	fmt.Fprintf(os.Stderr, "took %v\n", time.Since(begin).Round(time.Second))
}

// TestBenchmarkWorks does everything the benchmarks do, with little of each.
func TestBenchmarkWorks(t *testing.T) {
	s := sizes{12 << 20, 6 << 20, 3, 1200, 300, 1, 8 << 20, 3, 3, []int64{32 << 20}, false}
	run := func(name string, f func(testing.TB)) {
		t.Run(name, func(t *testing.T) { f(t) })
	}
	b := newBench(t, "versitygw", s)
	b.besideDistribution(run)
	b.sandboxed(run)
	b.report.print(os.Stdout)
}

// runner runs a measurement of a name, if the command line selects it.
type runner func(name string, f func(testing.TB))

// bench is a service with a bucket, reached directly and over a link.
type bench struct {
	sizes
	direct, far map[string]any // parameters of drivers
	clean       store          // puts, and removes what tasks leave
	cache       string         // of compiled modules
	tree        sync.Once
	blob        sync.Once
	last        int
	report      report
}

// newBench starts the service until the test ends.
func newBench(t testing.TB, service string, s sizes) *bench {
	t.Helper()
	server, underFiles := servers.S3{}, "refused"
	switch service {
	case "versitygw":
		server = servers.StartS3(t, service, "BERTH_VERSITYGW")
	case "minio":
		server, underFiles = servers.StartS3(t, service, "BERTH_MINIO"), "checked"
	default:
		t.Fatalf("-service is versitygw or minio, not %q", service)
	}
	servers.MakeBucket(t, server, bucket)
	direct := map[string]any{
		"accesskey": server.AccessKey, "secretkey": server.SecretKey, "region": servers.Region, "regionendpoint": server.URL,
		"forcepathstyle": true, "bucket": bucket, "filesunderfiles": underFiles,
	}
	far := with(direct, "regionendpoint", startLink(t, server.URL, latency))
	clean, done, err := task{Side: sideOurs, Parameters: direct}.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := done(); err != nil {
			t.Error(err)
		}
	})
	return &bench{sizes: s, direct: direct, far: far, clean: clean, cache: t.TempDir()}
}

func with(parameters map[string]any, name string, value any) map[string]any {
	out := maps.Clone(parameters)
	out[name] = value
	return out
}

// besideDistribution measures our driver beside distribution's.
func (b *bench) besideDistribution(run runner) {
	run("link", func(t testing.TB) {
		rate := linkRate(t, b.linkBytes)
		fmt.Printf("\nThe link alone carries %.2f GB/s.\n", rate/1e9)
		if b.floors && rate < minLinkRate {
			t.Errorf("the link alone carries %.2f GB/s, less than the %.0f that no measurement is to notice", rate/1e9, minLinkRate/1e9)
		}
	})
	for _, w := range works(b.sizes) {
		for _, place := range places {
			run(w.Work+"/"+place, func(t testing.TB) { b.beside(t, w, place) })
		}
	}
	for _, budget := range b.budgets {
		run(fmt.Sprintf("memory/%dMiB", budget>>20), func(t testing.TB) { b.memory(t, budget) })
	}
}

// places are where the service is.
var places = []string{"0ms", "20ms"}

// sandboxed measures the driver in the sandbox beside both others.
func (b *bench) sandboxed(run runner) {
	for _, w := range sandboxedWorks(b.sizes) {
		for _, place := range places {
			if w.floor(place) == 0 {
				continue
			}
			run(w.Work+"/"+w.base+"/"+place, func(t testing.TB) { b.beside(t, w, place) })
		}
	}
}

// by returns the task as a side does it.
func (b *bench) by(ctx context.Context, side string, t task) (task, error) {
	t.Side = side
	if side != sideSandboxed {
		return t, nil
	}
	var err error
	t.Cache = b.cache
	t.Module, err = guestbuild.Build(ctx, side)
	return t, err
}

// parametersAt are those of a driver that is so far from the service, with a root directory of its own.
func (b *bench) parametersAt(place, root string) map[string]any {
	if place == "0ms" {
		return with(b.direct, "rootdirectory", root)
	}
	return with(b.far, "rootdirectory", root)
}
