// Package ocilayout writes images as OCI layouts, for tests that push them, and compares what came back.
// Its content does not compress and is the same in every run.
package ocilayout

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The media types that are written.
const (
	MediaTypeIndex    = "application/vnd.oci.image.index.v1+json"
	MediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeConfig   = "application/vnd.oci.image.config.v1+json"
	MediaTypeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Random returns n bytes that nothing compresses and every run repeats.
func Random(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

// Descriptor is what a manifest says of a blob.
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    map[string]string `json:"platform,omitempty"`
}

// WriteImage makes an image with one layer for each size, seeded by seed and those after it, and writes it
// to dir, where its name is "latest". It returns the manifest's digest.
func WriteImage(t testing.TB, dir string, seed byte, sizes ...int64) string {
	t.Helper()
	blobs := blobsOf(t, dir)
	manifest := writeManifest(t, blobs, "amd64", seed, sizes)
	writeEntry(t, dir, manifest)
	return manifest.Digest
}

// WriteIndex makes an index of one image for each architecture, seeded 16 apart, and writes it to dir, where its
// name is "latest". It returns the index's digest.
func WriteIndex(t testing.TB, dir string, seed byte, architectures []string, sizes ...int64) string {
	t.Helper()
	blobs := blobsOf(t, dir)
	var manifests []Descriptor
	for i, architecture := range architectures {
		m := writeManifest(t, blobs, architecture, seed+16*byte(i), sizes)
		m.Platform = map[string]string{"architecture": architecture, "os": "linux"}
		manifests = append(manifests, m)
	}
	index := writeJSON(t, blobs, MediaTypeIndex, map[string]any{"schemaVersion": 2, "mediaType": MediaTypeIndex, "manifests": manifests})
	writeEntry(t, dir, index)
	return index.Digest
}

func blobsOf(t testing.TB, dir string) string {
	t.Helper()
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		t.Fatal(err)
	}
	return blobs
}

func writeManifest(t testing.TB, blobs, architecture string, seed byte, sizes []int64) Descriptor {
	t.Helper()
	var layers []Descriptor
	var diffs []string
	for i, size := range sizes {
		layer, diff := writeLayer(t, blobs, seed+byte(i), size)
		layers, diffs = append(layers, layer), append(diffs, diff)
	}
	config := writeJSON(t, blobs, MediaTypeConfig, map[string]any{
		"architecture": architecture, "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	return writeJSON(t, blobs, MediaTypeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": MediaTypeManifest, "config": config, "layers": layers,
	})
}

// writeEntry writes what makes dir a layout whose only name is that of d.
func writeEntry(t testing.TB, dir string, d Descriptor) {
	t.Helper()
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	for name, v := range map[string]any{
		"oci-layout": map[string]any{"imageLayoutVersion": "1.0.0"},
		"index.json": map[string]any{"schemaVersion": 2, "manifests": []Descriptor{d}},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeLayer writes a layer with one file of size bytes, and returns its descriptor and the digest
// of what it unpacks to. Gzip stores: the bytes do not compress, and a layer that is
// compressed already is copied by skopeo as it is.
func writeLayer(t testing.TB, blobs string, seed byte, size int64) (Descriptor, string) {
	t.Helper()
	f, err := os.CreateTemp(blobs, "layer")
	if err != nil {
		t.Fatal(err)
	}
	sum, diff := sha256.New(), sha256.New()
	zip, err := gzip.NewWriterLevel(io.MultiWriter(f, sum), gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(io.MultiWriter(zip, diff))
	err = archive.WriteHeader(&tar.Header{Name: fmt.Sprintf("file-%d", seed), Mode: 0o644, Size: size, Typeflag: tar.TypeReg})
	if err == nil {
		_, err = io.Copy(archive, Random(seed, size))
	}
	for _, end := range []func() error{archive.Close, zip.Close, f.Close} {
		if err == nil {
			err = end()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	name := hex.EncodeToString(sum.Sum(nil))
	if err := os.Rename(f.Name(), filepath.Join(blobs, name)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(blobs, name))
	if err != nil {
		t.Fatal(err)
	}
	return Descriptor{MediaType: MediaTypeLayer, Digest: "sha256:" + name, Size: info.Size()}, "sha256:" + hex.EncodeToString(diff.Sum(nil))
}

func writeJSON(t testing.TB, blobs, mediaType string, v any) Descriptor {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	name := hex.EncodeToString(sum[:])
	if err := os.WriteFile(filepath.Join(blobs, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return Descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: int64(len(b))}
}

// WantSameBlobs demands that two layouts hold the same blobs, byte for byte.
func WantSameBlobs(t testing.TB, want, got string) {
	t.Helper()
	names := func(dir string) []string {
		entries, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, e := range entries {
			set[e.Name()] = true
		}
		return slices.Sorted(maps.Keys(set))
	}
	if w, g := names(want), names(got); !slices.Equal(w, g) {
		t.Fatalf("want the blobs %v, got %v", w, g)
	}
	for _, name := range names(want) {
		if at := firstDifference(t, filepath.Join(want, "blobs", "sha256", name), filepath.Join(got, "blobs", "sha256", name)); at >= 0 {
			t.Fatalf("blob %s differs from what was pushed at byte %d", name, at)
		}
	}
}

// firstDifference returns where two files differ first, or -1.
func firstDifference(t testing.TB, a, b string) int64 {
	t.Helper()
	var files [2]*os.File
	for i, name := range []string{a, b} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		n, errX := io.ReadFull(files[0], x)
		m, errY := io.ReadFull(files[1], y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			for i := range min(n, m) {
				if x[i] != y[i] {
					return at + int64(i)
				}
			}
			return at + int64(min(n, m))
		}
		if errX != nil || errY != nil {
			return -1
		}
		at += int64(n)
	}
}
