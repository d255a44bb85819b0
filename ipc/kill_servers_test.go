//go:build servers && unix

package ipc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/faultloop"
)

// TestOthersKilledAtEachCall is TestKilledAtEachCall for drivers of the five functions in other languages.
func TestOthersKilledAtEachCall(t *testing.T) {
	for name, parameter := range map[string]string{
		"../examples/python-sqlite/registry-storage-sqlite": "database",
		"../examples/node-files/registry-storage-nodefiles": "directory",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			// Each death costs a start of the interpreter: these are the operations that differ on such drivers.
			scenarios := map[string]bool{
				"push in one session": true, "commit over content of the same size": true, "put over old content": true,
				"read whole and ranges": true, "delete of a tree": true, "move of a file": true,
			}
			run := func(scenario string) bool { return scenarios[scenario] }
			killedAtEachCall(t, faultloop.Harness{Name: filepath.Base(name), Short: true, Parallel: 4, Run: run}, path,
				func() (map[string]any, func(string) []string, error) {
					dir, err := os.MkdirTemp(root, "")
					return map[string]any{parameter: filepath.Join(dir, "store")}, nil, err
				})
		})
	}
}
