package metrics_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/metrics"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func register(t *testing.T, r prometheus.Registerer) *metrics.Metrics {
	t.Helper()
	m, err := metrics.Register(r)
	ok(t, "Register", err)
	return m
}

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// want wants these and no other samples of the metric of that name.
func want(t *testing.T, r prometheus.Gatherer, name string, samples ...string) {
	t.Helper()
	families, err := r.Gather()
	ok(t, "Gather", err)
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name {
				continue
			}
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			got = append(got, fmt.Sprintf("%s{%s} %v", name, strings.Join(labels, ","), value))
		}
	}
	if !slices.Equal(got, samples) {
		t.Errorf("the samples are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(samples, "\n"))
	}
}

func TestCallsAreCounted(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := register(t, r)
	memory := &chunkedtest.Memory{Can: storagedriver.AbilityParts}
	d := layers.Complete(metrics.New(memory, m), layers.WithPartSize(4), layers.WithParallel(1))
	ctx := t.Context()
	ok(t, "PutContent", d.PutContent(ctx, "/a", []byte("12345")))
	if _, err := d.GetContent(ctx, "/none"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatalf("GetContent: %v", err)
	}
	body, err := d.Reader(ctx, "/a", 1)
	ok(t, "Reader", err)
	want(t, r, "berth_backend_in_flight",
		`berth_backend_in_flight{driver="memory",operation="Put"} 0`,
		`berth_backend_in_flight{driver="memory",operation="Read"} 1`)
	_, err = io.CopyN(io.Discard, body, 3)
	ok(t, "read", err)
	ok(t, "Close", body.Close())
	ok(t, "Close again", body.Close())

	w, err := d.Writer(ctx, "/up", false)
	ok(t, "Writer", err)
	_, err = w.Write([]byte("0123456789"))
	ok(t, "Write", err)
	ok(t, "Commit", w.Commit(ctx))

	want(t, r, "berth_backend_calls_total",
		`berth_backend_calls_total{driver="memory",operation="AbortUploads"} 1`,
		`berth_backend_calls_total{driver="memory",operation="CommitUpload"} 1`,
		`berth_backend_calls_total{driver="memory",operation="OpenUpload"} 1`,
		`berth_backend_calls_total{driver="memory",operation="Put"} 1`,
		`berth_backend_calls_total{driver="memory",operation="PutPart"} 2`,
		`berth_backend_calls_total{driver="memory",operation="Read"} 2`)
	want(t, r, "berth_backend_errors_total",
		`berth_backend_errors_total{driver="memory",kind="not found",operation="Read"} 1`)
	want(t, r, "berth_backend_read_bytes_total", `berth_backend_read_bytes_total{driver="memory",operation="Read"} 3`)
	want(t, r, "berth_backend_written_bytes_total",
		`berth_backend_written_bytes_total{driver="memory",operation="CommitUpload"} 2`,
		`berth_backend_written_bytes_total{driver="memory",operation="Put"} 5`,
		`berth_backend_written_bytes_total{driver="memory",operation="PutPart"} 8`)
	want(t, r, "berth_backend_call_seconds",
		`berth_backend_call_seconds{driver="memory",operation="AbortUploads"} 1`,
		`berth_backend_call_seconds{driver="memory",operation="CommitUpload"} 1`,
		`berth_backend_call_seconds{driver="memory",operation="OpenUpload"} 1`,
		`berth_backend_call_seconds{driver="memory",operation="Put"} 1`,
		`berth_backend_call_seconds{driver="memory",operation="PutPart"} 2`,
		`berth_backend_call_seconds{driver="memory",operation="Read"} 2`)
}

// slow takes two seconds for everything.
func slow(context.Context, string, string) error {
	<-time.After(2 * time.Second)
	return nil
}

func TestTimesAreThoseOfTheCallNotOfTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		m := register(t, r)
		memory := &chunkedtest.Memory{Before: slow}
		memory.Set("/a", "x")
		d := layers.Complete(metrics.New(memory, m), layers.WithTrace(m.Trace))
		body, err := d.Reader(t.Context(), "/a", 0)
		ok(t, "Reader", err)
		<-time.After(time.Minute)
		ok(t, "Close", body.Close())
		_, err = d.Stat(t.Context(), "/a")
		ok(t, "Stat", err)
		for _, c := range []struct{ name, label, value string }{
			{"berth_backend_call_seconds", "operation", "Read"},
			{"berth_backend_call_seconds", "operation", "Stat"},
			{"registry_storage_action_seconds", "action", "Stat"},
		} {
			if count, sum := histogram(t, r, c.name, c.label, c.value); count != 1 || sum != 2 {
				t.Errorf("%s of %s: %d calls took %v s, want 1 that took 2 s", c.name, c.value, count, sum)
			}
		}
	})
}

func histogram(t *testing.T, r prometheus.Gatherer, name, label, value string) (uint64, float64) {
	t.Helper()
	families, err := r.Gather()
	ok(t, "Gather", err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == label && l.GetValue() == value {
					return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
				}
			}
		}
	}
	return 0, 0
}

func TestTheGateIsTimedAsInDistribution(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := register(t, r)
	d := layers.Complete(&chunkedtest.Memory{Can: storagedriver.AbilityMove}, layers.WithTrace(m.Trace))
	ctx := t.Context()
	ok(t, "PutContent", d.PutContent(ctx, "/a", nil))
	_, err := d.GetContent(ctx, "/a")
	ok(t, "GetContent", err)
	_, err = d.Stat(ctx, "/a")
	ok(t, "Stat", err)
	_, err = d.List(ctx, "/")
	ok(t, "List", err)
	ok(t, "Move", d.Move(ctx, "/a", "/b"))
	_, err = d.RedirectURL(ctx, "/b", storagedriver.RedirectOptions{})
	ok(t, "RedirectURL", err)
	ok(t, "Walk", d.Walk(ctx, "/", func(storagedriver.FileInfo) error { return nil }))
	ok(t, "Delete", d.Delete(ctx, "/b"))
	var once []string
	for _, action := range []string{"Delete", "GetContent", "List", "Move", "PutContent", "RedirectURL", "Stat"} {
		once = append(once, fmt.Sprintf("registry_storage_action_seconds{action=%q,driver=\"memory\"} 1", action))
	}
	want(t, r, "registry_storage_action_seconds", once...)
}

func TestDriversShareARegisterer(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	first := layers.Complete(metrics.New(&chunkedtest.Memory{}, register(t, r)))
	second := layers.Complete(metrics.New(inmemory.New(), register(t, r)))
	for _, d := range []storagedriver.StorageDriver{first, second, first} {
		ok(t, "PutContent", d.PutContent(t.Context(), "/a", nil))
	}
	want(t, r, "berth_backend_calls_total",
		`berth_backend_calls_total{driver="inmemory",operation="Put"} 1`,
		`berth_backend_calls_total{driver="memory",operation="Put"} 2`)
}

func TestAnotherMetricOfTheNameIsAnError(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "berth_backend_calls_total", Help: "somebody else's"}))
	_, err := metrics.Register(r)
	if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "berth_backend_calls_total") {
		t.Errorf("Register: %v, want invalid argument that names the metric", err)
	}
}

func TestSuite(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := register(t, r)
	backend := inmemory.New()
	t.Run("suite", func(t *testing.T) {
		testsuites.RegisterInProcessSuite(t, func(testsuites.T) storagedriver.StorageDriver {
			return layers.Complete(metrics.New(backend, m), layers.WithPartSize(64<<10), layers.WithTrace(m.Trace))
		}, testsuites.Configure(func(h *testsuites.Harness) {
			h.PartSize = 64 << 10
			h.Run = "content,reader,write,append,cancel,move,delete"
		}))
	})
	families, err := r.Gather()
	ok(t, "Gather", err)
	seen := false
	for _, f := range families {
		if f.GetName() != "berth_backend_in_flight" {
			continue
		}
		seen = true
		for _, sample := range f.GetMetric() {
			if n := sample.GetGauge().GetValue(); n != 0 {
				t.Errorf("%v of %v are in flight after the suite, want none", n, sample.GetLabel())
			}
		}
	}
	if !seen {
		t.Error("nothing was measured")
	}
}
