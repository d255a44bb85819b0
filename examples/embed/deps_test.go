// Package embed_test proves what embedding Berth links.
package embed_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// linked returns the packages outside the standard library that a program links.
func linked(t *testing.T, program string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", program)
	var said strings.Builder
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, said.String())
	}
	return strings.Fields(string(out))
}

// Root, factory and filesystem link these packages: no SDK of a cloud, no SQL, no WebAssembly,
// no Prometheus, no OpenTelemetry, nothing of distribution.
func TestFilesLinksLittle(t *testing.T) {
	const module = "github.com/berth-dev/storagedriver"
	want := []string{
		module, module + "/chunked", module + "/drivers/filesystem", module + "/examples/embed/files", module + "/factory", module + "/layers",
		module + "/internal/nesting",                                                                 // how deep a writer works for others, which have reserves of the budget
		"github.com/go-viper/mapstructure/v2", "github.com/go-viper/mapstructure/v2/internal/errors", // parameters
		"golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore", // parts in parallel, the budget
		"golang.org/x/sys/unix", // locks and fsync
	}
	for _, dep := range linked(t, "./files") {
		if !slices.Contains(want, dep) {
			t.Errorf("files links %s, which is not on the list", dep)
		}
	}
}

// A list that allows everything proves nothing: the other program must be refused by it.
func TestSandboxedLinksAnEngine(t *testing.T) {
	deps := linked(t, "./sandboxed")
	if !slices.Contains(deps, "github.com/tetratelabs/wazero") {
		t.Errorf("sandboxed links no engine: %q", deps)
	}
	for _, dep := range deps {
		for _, unwanted := range []string{"prometheus", "opentelemetry", "distribution", "cobra", "/sql"} {
			if strings.Contains(dep, unwanted) {
				t.Errorf("sandboxed links %s", dep)
			}
		}
	}
}
