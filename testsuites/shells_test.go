package testsuites_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites"
)

// TestShellsAreLeftByWhatWasCutShort has a driver list a directory after all has been deleted. It may where a call was cut short (minio lists
// what is left of an object whose PUT was given up), and only one with nothing in it.
func TestShellsAreLeftByWhatWasCutShort(t *testing.T) {
	for name, c := range map[string]struct {
		id      string
		isThere bool
		want    testsuites.Status
	}{
		"of what was cut short":                {"context/mid-put", false, testsuites.Pass},
		"that are directories to Stat":         {"context/mid-put", true, testsuites.Fail},
		"of a case in which nothing was ended": {"content/truncates", false, testsuites.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := onInmemory(func(d *broken, good storagedriver.StorageDriver) {
				var dir string
				deleted := false
				d.putContent = func(ctx context.Context, p string, content []byte) error {
					for range 30 {
						if step(ctx) {
							return canceled(ctx, "PutContent", good, p)
						}
					}
					dir, _ = storagedriver.ParentPath(p)
					return good.PutContent(ctx, p, content)
				}
				d.remove = func(ctx context.Context, p string) error {
					deleted = deleted || p == dir
					return good.Delete(ctx, p)
				}
				d.list = func(ctx context.Context, p string) ([]string, error) {
					if deleted && p == dir {
						return []string{dir + "/shell"}, nil
					}
					return good.List(ctx, p)
				}
				d.stat = func(ctx context.Context, p string) (storagedriver.FileInfo, error) {
					if c.isThere && strings.HasSuffix(p, "/shell") {
						return good.Stat(ctx, "/")
					}
					return good.Stat(ctx, p)
				}
			})
			h.Run = c.id
			result := testsuites.RunAll(t.Context(), h, nil)
			if result.Err != nil || len(result.Cases) != 1 {
				t.Fatalf("want one case to run, got %d (%v)", len(result.Cases), result.Err)
			}
			got := result.Cases[0]
			if got.Status != c.want || c.want == testsuites.Fail && !slices.Contains(strings.Fields(got.Reason), "left") {
				t.Errorf("want %v, for what was left where it fails, got %v: %s", c.want, got.Status, got.Reason)
			}
		})
	}
}
