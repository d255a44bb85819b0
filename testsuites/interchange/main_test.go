//go:build servers

package interchange

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test and those that test them.
var berth, distribution, crane, skopeo string

func TestMain(m *testing.M) {
	for _, p := range []struct {
		path           *string
		variable, name string
	}{
		{&berth, "BERTH_E2E_BINARY", "../../bin/berth"},
		{&distribution, "BERTH_E2E_REGISTRY", "../../build/tools/registry-v3.1.2/registry"},
		{&crane, "BERTH_E2E_CRANE", "crane"},
		{&skopeo, "BERTH_E2E_SKOPEO", "skopeo"},
	} {
		name := os.Getenv(p.variable)
		if name == "" {
			name = p.name
		}
		var err error
		if *p.path, err = exec.LookPath(name); err == nil {
			*p.path, err = filepath.Abs(*p.path)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "interchange: %v: run 'make test-servers', which installs what these tests need, or name it in %s\n", err, p.variable)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
