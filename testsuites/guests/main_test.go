package guests

import (
	"fmt"
	"os"
	"testing"
)

// cacheDir keeps compiled guests while the tests run.
var cacheDir string

func TestMain(m *testing.M) {
	if arg := os.Getenv(processVariable); arg != "" {
		os.Exit(runProcess(arg))
	}
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
