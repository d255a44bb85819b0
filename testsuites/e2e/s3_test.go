//go:build servers

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

const s3Bucket = "registry"

// s3Layer is past two parts of the least size, 5 MiB.
const s3Layer = 24*mib + 77

// s3Service is one to keep a registry in, and what the driver has to know of it.
type s3Service struct {
	name, variable, filesUnderFiles string
}

var (
	versitygw = s3Service{"versitygw", "BERTH_VERSITYGW", "refused"}
	minio     = s3Service{"minio", "BERTH_MINIO", "checked"}
)

// start starts the service with an empty bucket, behind a proxy that watches.
func (v s3Service) start(t *testing.T) *servers.Watched {
	t.Helper()
	s := servers.StartS3(t, v.name, v.variable)
	servers.MakeBucket(t, s, s3Bucket)
	return servers.Watch(t, s)
}

// section is the configuration of a registry in the bucket of s.
func (v s3Service) section(s *servers.Watched) string {
	return fmt.Sprintf("  s3:\n    regionendpoint: %q\n    region: %s\n    accesskey: %q\n    secretkey: %q\n    forcepathstyle: true\n    bucket: %s\n    chunksize: %d\n    filesunderfiles: %s\n",
		s.URL, servers.Region, s.AccessKey, s.SecretKey, s3Bucket, 5*mib, v.filesUnderFiles)
}

// storage is a registry in the bucket of s. With direct it sends content itself instead of redirecting to the service.
func (v s3Service) storage(s *servers.Watched, direct bool) storage {
	section := v.section(s)
	if direct {
		section += "  redirect:\n    disable: true\n"
	}
	config := func(t *testing.T, dir string) string { return writeConfig(t, dir, "config.yml", section) }
	return storage{
		name:    "s3 on " + v.name,
		args:    func(t *testing.T, dir string) []string { return []string{"serve", config(t, dir)} },
		collect: func(t *testing.T, dir string, _ *server) string { return config(t, dir) },
	}
}

// TestS3PushPullDeleteCollectOnVersitygw is what a registry does all day, with layers of several parts, and that nothing is left of
// what was deleted.
func TestS3PushPullDeleteCollectOnVersitygw(t *testing.T) {
	s3Day(t, versitygw)
}

// TestS3PushPullDeleteCollectOnMinio is the same on another service.
func TestS3PushPullDeleteCollectOnMinio(t *testing.T) {
	s3Day(t, minio)
}

func s3Day(t *testing.T, v s3Service) {
	kept, gone := filepath.Join(t.TempDir(), "kept"), filepath.Join(t.TempDir(), "gone")
	ocilayout.WriteImage(t, kept, 10, 5*mib, 1000, 12*mib+1)
	digest := ocilayout.WriteImage(t, gone, 20, s3Layer, 2000)
	service := v.start(t)
	storage, dir := v.storage(service, true), t.TempDir()
	s := storage.start(t, dir)
	push(t, s, kept, "a/kept:v1")
	push(t, s, gone, "b/gone:v1")
	push(t, s, gone, "b/gone:v2")
	push(t, s, kept, "b/gone:other")
	if begun, parts := service.Count(servers.UploadsBegun), service.Count(servers.PartsSent); begun < 2 || parts < 3+5 {
		t.Fatalf("want layers in parts of 5 MiB, 3 and 5 at least, got %d parts of %d uploads", parts, begun)
	}
	s.stop()
	s = storage.start(t, dir)
	back := filepath.Join(t.TempDir(), "back")
	pull(t, s, "b/gone:v1", back)
	ocilayout.WantSameBlobs(t, gone, back)
	if got := service.Count(servers.PresignedGets); got != 0 {
		t.Fatalf("without redirects: want no GET of a presigned URL, got %d", got)
	}
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
	s3Collect(t, service, storage.collect(t, dir, s))
	pull(t, s, "b/gone:other", filepath.Join(t.TempDir(), "other"))
	s3WantNothingLeft(t, service, writeConfig(t, t.TempDir(), "look.yml", v.section(service)))
	push(t, s, gone, "b/gone:v3")
	s.stop()

	s = v.storage(service, false).start(t, dir)
	s3Redirects(t, service, s, gone)
	s.stop()
}

// s3Collect runs garbage-collect, dry and then not, and demands that it frees the image of 24 MiB.
func s3Collect(t *testing.T, service *servers.Watched, config string) {
	t.Helper()
	before := s3Used(t, service)
	for _, dry := range []string{"--dry-run", "--dry-run=false"} {
		var report struct {
			Removed []struct{ Kind, Digest, Path string }
		}
		out := run(t, berth, "garbage-collect", config, "--output", "json", dry)
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
			t.Fatalf("garbage-collect %s: want 4 blobs, got %d: %s", dry, blobs, out)
		}
		if freed := before - s3Used(t, service); dry == "--dry-run" && freed != 0 || dry != "--dry-run" && freed < s3Layer {
			t.Fatalf("garbage-collect %s: freed %d bytes", dry, freed)
		}
	}
}

func s3Used(t *testing.T, service *servers.Watched) (n int64) {
	t.Helper()
	for _, size := range service.Objects(t, s3Bucket) {
		n += size
	}
	return n
}

// s3WantNothingLeft demands that no upload has left anything: neither by the driver's own list nor by the service's.
func s3WantNothingLeft(t *testing.T, service *servers.Watched, config string) {
	t.Helper()
	var report struct{ Orphans []struct{ Path, Kind string } }
	out := run(t, berth, "store", "orphans", "ls", "--config", config, "--output", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("store orphans ls: %v: %s", err, out)
	}
	if len(report.Orphans) > 0 {
		t.Errorf("store orphans ls: want none, got %+v", report.Orphans)
	}
	if left := service.UploadsLeft(t, s3Bucket); len(left) > 0 {
		t.Errorf("want no multipart upload left, got those to %q", left)
	}
	for key := range service.Objects(t, s3Bucket) {
		if strings.Contains(key, "~") || strings.Contains(key, "/_uploads/") {
			t.Errorf("want nothing left of an upload, got the object %s", key)
		}
	}
}

// s3Redirects demands that a pull follows URLs of the service, which has the content.
func s3Redirects(t *testing.T, service *servers.Watched, s *server, image string) {
	t.Helper()
	before := service.Count(servers.PresignedGets)
	back := filepath.Join(t.TempDir(), "back")
	pull(t, s, "b/gone:v3", back)
	ocilayout.WantSameBlobs(t, image, back)
	if got := service.Count(servers.PresignedGets) - before; got != 3 { // two layers and the configuration
		t.Fatalf("with redirects: want 3 GETs of presigned URLs, got %d", got)
	}
	u := begin(t, s, 5, 100_000)
	u.finish(s)
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+"/v2/resume/app/blobs/"+u.digest(), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		at, err := res.Location()
		if res.StatusCode != http.StatusTemporaryRedirect || err != nil || "http://"+at.Host != service.URL {
			t.Fatalf("%s: want 307 to %s, got %s to %v", method, service.URL, res.Status, at)
		}
		if req, err = http.NewRequestWithContext(t.Context(), method, at.String(), nil); err != nil {
			t.Fatal(err)
		}
		if res, err = client.Do(req); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || res.ContentLength != 100_000 {
			t.Fatalf("%s of the presigned URL: want 200 and 100000 bytes, got %s and %d", method, res.Status, res.ContentLength)
		}
	}
}
