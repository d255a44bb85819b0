//go:build servers

package interchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree is what is below a root: for every file its mode, size and digest, for every directory its mode.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if d.IsDir() {
			found[name+"/"] = info.Mode().String()
			return nil
		}
		sum, err := fileDigest(path)
		found[name] = fmt.Sprintf("%s %d %s", info.Mode(), info.Size(), sum)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// wantSameTree demands that two roots hold the same names, bytes and modes.
func wantSameTree(t *testing.T, what, a, b string) {
	t.Helper()
	x, y := tree(t, a), tree(t, b)
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if y[name] != x[name] {
			differences = append(differences, fmt.Sprintf("%s: %q and %q", name, x[name], y[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		if _, there := x[name]; !there {
			differences = append(differences, fmt.Sprintf("%s: nothing and %q", name, y[name]))
		}
	}
	if len(differences) > 0 {
		t.Fatalf("%s: want two trees alike, they differ in %d:\n%s", what, len(differences), strings.Join(differences, "\n"))
	}
}

// wantBlobsIntact demands that every blob below root has the content that its name says, and returns their digests, sorted.
func wantBlobsIntact(t *testing.T, root string) []string {
	t.Helper()
	var digests []string
	blobs := filepath.Join(root, "docker/registry/v2/blobs/sha256")
	err := filepath.WalkDir(blobs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.Base(filepath.Dir(path))
		sum, err := fileDigest(path)
		if err == nil && (filepath.Base(path) != "data" || sum != name) {
			t.Errorf("%s: want nothing but the content of that digest, got that of %s", path, sum)
		}
		digests = append(digests, "sha256:"+sum)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(digests)
	return digests
}

// duplicate copies a root.
func duplicate(t *testing.T, root string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	return copied
}
