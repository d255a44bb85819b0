//go:build servers

package e2e

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

const mib = 1 << 20

// largeLayer is past everything that is buffered, and past several parts.
const largeLayer = 208 * mib

func push(t *testing.T, s *server, layout, name string) {
	t.Helper()
	run(t, skopeo, "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", "oci:"+layout+":latest", "docker://"+s.addr+"/"+name)
}

func pull(t *testing.T, s *server, name, layout string) {
	t.Helper()
	run(t, skopeo, "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "docker://"+s.addr+"/"+name, "oci:"+layout+":latest")
}

func lines(s string) []string { return strings.Fields(s) }

// TestPushAndPull pushes an image with a large layer, restarts the registry, and pulls it.
func TestPushAndPull(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	digest := ocilayout.WriteImage(t, image, 1, 1000, 3*mib+1, largeLayer)
	for _, storage := range storages {
		t.Run(storage.name, func(t *testing.T) {
			dir := t.TempDir()
			s := storage.start(t, dir)
			push(t, s, image, "team/app:v1")
			if !storage.volatile {
				s.stop()
				s = storage.start(t, dir)
			}
			back := filepath.Join(t.TempDir(), "back")
			pull(t, s, "team/app:v1", back)
			ocilayout.WantSameBlobs(t, image, back)
			if got := strings.TrimSpace(run(t, crane, "digest", "--insecure", s.addr+"/team/app:v1")); got != digest {
				t.Fatalf("want digest %s, got %s", digest, got)
			}
			s.stop()
		})
	}
}

// TestListDeleteCollect lists and deletes with crane, and frees what was deleted.
func TestListDeleteCollect(t *testing.T) {
	kept, gone := filepath.Join(t.TempDir(), "kept"), filepath.Join(t.TempDir(), "gone")
	ocilayout.WriteImage(t, kept, 10, 5*mib, 1000)
	digest := ocilayout.WriteImage(t, gone, 20, 40*mib, 2000)
	for _, storage := range storages {
		t.Run(storage.name, func(t *testing.T) {
			dir := t.TempDir()
			s := storage.start(t, dir)
			push(t, s, kept, "a/kept:v1")
			push(t, s, gone, "b/gone:v1")
			push(t, s, gone, "b/gone:v2")
			push(t, s, kept, "b/gone:other") // without any tag a repository may end
			if got := lines(run(t, crane, "catalog", "--insecure", s.addr)); !slices.Equal(got, []string{"a/kept", "b/gone"}) {
				t.Fatalf("catalog: want a/kept and b/gone, got %q", got)
			}
			if got := lines(run(t, crane, "ls", "--insecure", s.addr+"/b/gone")); !slices.Equal(got, []string{"other", "v1", "v2"}) {
				t.Fatalf("ls: want other, v1 and v2, got %q", got)
			}
			run(t, crane, "delete", "--insecure", s.addr+"/b/gone@"+digest)
			if got := lines(run(t, crane, "ls", "--insecure", s.addr+"/b/gone")); !slices.Equal(got, []string{"other"}) {
				t.Fatalf("ls after the deletion: want other alone, got %q", got)
			}
			if storage.collect != nil {
				collect(t, storage.collect(t, dir, s), dir)
			}
			back := filepath.Join(t.TempDir(), "back")
			pull(t, s, "a/kept:v1", back)
			ocilayout.WantSameBlobs(t, kept, back)
			push(t, s, gone, "b/gone:v3")
			s.stop()
		})
	}
}

// collect runs garbage-collect and demands that it frees the image of 40 MiB, and that a dry run
// says so and frees nothing.
func collect(t *testing.T, config, dir string) {
	t.Helper()
	before := used(t, dir)
	for _, dry := range []bool{true, false} {
		args := []string{"garbage-collect", config, "--output", "json"}
		if dry {
			args = append(args, "--dry-run")
		}
		var report struct {
			Removed []struct{ Kind, Digest, Path string }
		}
		out := run(t, berth, args...)
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("garbage-collect: %v: %s", err, out)
		}
		blobs := 0
		for _, r := range report.Removed {
			if r.Kind == "blob" {
				blobs++
			}
		}
		if blobs != 4 { // two layers, the configuration, the manifest
			t.Fatalf("garbage-collect (dry %v): want 4 blobs, got %d: %s", dry, blobs, out)
		}
		freed := before - used(t, dir)
		if dry && freed != 0 || !dry && freed < 40*mib {
			t.Fatalf("garbage-collect (dry %v): freed %d bytes", dry, freed)
		}
	}
}

// used returns how many bytes the files below dir have.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
