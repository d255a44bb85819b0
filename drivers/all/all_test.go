package all_test

import (
	"os"
	"slices"
	"strings"
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
		if e.IsDir() && e.Name() != "all" && e.Name() != "internal" {
			want = append(want, e.Name())
		}
	}
	want = append(want, "s3aws") // distribution's second name of s3
	if got := r.Names(); !slices.Equal(got, want) {
		t.Errorf("registered are %q, the folders are %q", got, want)
	}
	for _, name := range want {
		parameters := map[string]any{}
		switch name {
		case "filesystem":
			parameters["rootdirectory"] = t.TempDir()
		case "s3", "s3aws":
			parameters = map[string]any{"bucket": "registry", "region": "us-east-1", "accesskey": "a", "secretkey": "b", "probe": false}
		}
		d, err := r.Create(t.Context(), name, parameters)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Name() != strings.TrimSuffix(name, "aws") {
			t.Errorf("%s says that its name is %q", name, d.Name())
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
}
