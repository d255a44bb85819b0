package guests

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver/runtime/trace"
	"github.com/berth-dev/storagedriver/testsuites"
)

// transcripts have the last host calls of the guests under test, by guest: suites of several run at the same time.
var transcripts sync.Map

func transcript(guest string) *trace.Recorder {
	r, _ := transcripts.LoadOrStore(guest, trace.New(nil, trace.Options{Lines: 100}))
	return r.(*trace.Recorder)
}

// transcribed has the suite show them of a case that fails.
func transcribed(guest string) testsuites.Option {
	return testsuites.Configure(func(h *testsuites.Harness) { h.Transcript = transcript(guest).Transcript })
}

// cacheDir keeps compiled guests while the tests run.
var cacheDir string

func TestMain(m *testing.M) {
	if arg := os.Getenv(processVariable); arg != "" {
		os.Exit(runProcess(arg))
	}
	_ = flag.Set("test.parallel", "4") // suites wait for their servers; the command line has the last word
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "berth-guests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cacheDir = dir
	return m.Run()
}
