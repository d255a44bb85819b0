//go:build servers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test and those that test them.
var berth, crane, skopeo string

// compiled keeps compiled modules for all the processes that are started.
var compiled string

func TestMain(m *testing.M) {
	var err error
	for _, p := range []struct {
		path           *string
		variable, name string
	}{
		{&berth, "BERTH_E2E_BINARY", "../../bin/berth"},
		{&crane, "BERTH_E2E_CRANE", "crane"},
		{&skopeo, "BERTH_E2E_SKOPEO", "skopeo"},
	} {
		name := os.Getenv(p.variable)
		if name == "" {
			name = p.name
		}
		if *p.path, err = exec.LookPath(name); err == nil {
			*p.path, err = filepath.Abs(*p.path)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v: run 'make test-servers', which installs what these tests need, or name it in %s\n", err, p.variable)
			os.Exit(1)
		}
	}
	if compiled, err = os.MkdirTemp("", "berth-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(compiled)
	os.Exit(status)
}
