package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

func TestSampling(t *testing.T) {
	out := recordExercise(t, trace.Options{Sample: 3}, runtime.Config{MaxIdleInstances: 1}, nil, func(d storagedriver.Backend, s *store) {
		for range 5 { // each on an instance of its own
			_, err := d.Stat(t.Context(), "/hostile/panic")
			wantKind(t, err, storagedriver.KindGuest)
		}
	})
	result := mustReplay(t, out)
	if result.Instances != 2 || result.FailureCount != 2 {
		t.Errorf("%d instances with %d failures were recorded, want 2 of 5 with 2", result.Instances, result.FailureCount)
	}
}

func TestAFullTraceSaysSo(t *testing.T) {
	const limit = 64 << 10
	out := recordExercise(t, trace.Options{MaxBytes: limit}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) {
		for range 50 {
			everything(t, d, s)
		}
	})
	if out.Len() > limit {
		t.Errorf("the trace has %d bytes, more than %d", out.Len(), limit)
	}
	result := mustReplay(t, out)
	if len(result.Notes) != 1 || !strings.Contains(result.Notes[0], fmt.Sprint(limit)) || result.Calls == 0 {
		t.Errorf("want a note on the limit, got %+v", result)
	}
}

// brokenDisk takes some bytes and then none.
type brokenDisk struct{ left int }

func (d *brokenDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(p), nil
}

func (*brokenDisk) Close() error { return nil }

func TestABrokenDiskBreaksNoCalls(t *testing.T) {
	var logged bytes.Buffer
	recorder := trace.New(&brokenDisk{20_000}, trace.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	d, s, _ := open(t, runtime.Config{Record: recorder}, nil)
	for range 20 {
		everything(t, d, s)
	}
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Count(logged.String(), "\n") != 1 || !strings.Contains(logged.String(), "the disk is full") {
		t.Errorf("want one line on the disk, got %q", &logged)
	}
	if recorder.Recording() {
		t.Error("it is still recording")
	}
	everything(t, d, s)
}
