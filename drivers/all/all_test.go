package all_test

import (
	"os"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/all"
	"github.com/berth-dev/storagedriver/factory"
)

// TestEveryDriverIsListed compares the names registered with the folders beside this one.
func TestEveryDriverIsListed(t *testing.T) {
	var r factory.Registry
	all.Register(&r)
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "all" {
			want = append(want, e.Name())
		}
	}
	if got := r.Names(); !slices.Equal(got, want) {
		t.Errorf("registered are %q, the folders are %q", got, want)
	}
	for _, name := range want {
		parameters := map[string]any{}
		if name == "filesystem" {
			parameters["rootdirectory"] = t.TempDir()
		}
		d, err := r.Create(t.Context(), name, parameters)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Name() != name {
			t.Errorf("%s says that its name is %q", name, d.Name())
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
}
