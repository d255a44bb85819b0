//go:build servers

package interchange

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// bucket is one that both registries keep the same registry in.
type bucket struct {
	service               *servers.Watched
	name, filesUnderFiles string
}

// newBucket makes one in a service that is new.
func newBucket(t *testing.T, service string) *bucket {
	t.Helper()
	b := &bucket{name: "registry", filesUnderFiles: map[string]string{"versitygw": "refused", "minio": "checked"}[service]}
	s := servers.StartS3(t, service, "BERTH_"+strings.ToUpper(service))
	servers.MakeBucket(t, s, b.name)
	b.service = servers.Watch(t, s)
	return b
}

// configure writes the configuration of either registry: distribution ignores parameters that it does not know.
func (b *bucket) configure(t *testing.T) string {
	t.Helper()
	return configureStorage(t, fmt.Sprintf("  s3:\n    regionendpoint: %q\n    region: %s\n    accesskey: %q\n    secretkey: %q\n    forcepathstyle: true\n    bucket: %s\n    rootdirectory: /some/root\n    filesunderfiles: %s\n",
		b.service.URL, servers.Region, b.service.AccessKey, b.service.SecretKey, b.name, b.filesUnderFiles))
}

// blobs reads all blobs, demands that each has the content that its name says, and returns how many there are.
func (b *bucket) blobs(t *testing.T) (n int) {
	t.Helper()
	for key := range b.service.Objects(t, b.name) {
		_, digest, found := strings.Cut(key, "/docker/registry/v2/blobs/sha256/")
		if !found {
			continue
		}
		n++
		content, _ := b.service.Object(t, b.name, key)
		if want := "sha256:" + strings.TrimSuffix(digest[len("ab/"):], "/data"); digestOf(content) != want {
			t.Errorf("%s: want the content of that digest, got that of %s", key, digestOf(content))
		}
	}
	return n
}

// wantNoUploads demands that no upload has left anything.
func (b *bucket) wantNoUploads(t *testing.T) {
	t.Helper()
	if left := b.service.UploadsLeft(t, b.name); len(left) > 0 {
		t.Errorf("want no multipart upload left, got those to %q", left)
	}
	for key := range b.service.Objects(t, b.name) {
		if strings.Contains(key, "~") || strings.Contains(key, "/_uploads/") {
			t.Errorf("want nothing left of an upload, got the object %s", key)
		}
	}
}

// TestOneReadsWhatTheOtherWroteOnS3, deletes some of it, writes more, and what either collects then leaves the rest.
func TestOneReadsWhatTheOtherWroteOnS3(t *testing.T) {
	c := newCollection(t)
	eachWay(t, func(t *testing.T, writer, reader implementation) {
		b := newBucket(t, "versitygw")
		config := b.configure(t)
		s := writer.serve(t, config)
		c.push(t, s)
		wantCatalog(t, s, repositories)
		s.stop()

		s = reader.serve(t, config)
		c.want(t, s, false)
		wantCatalog(t, s, repositories)
		run(t, crane, "delete", "--insecure", s.addr+"/z/gone@"+c.goneDigest)
		if got := tags(t, s, "z/gone"); !slices.Equal(got, []string{"kept"}) {
			t.Fatalf("%s: tags after the deletion: want kept alone, got %q", s.name, got)
		}
		push(t, s, c.other, "late/app:v1")
		s.stop()

		before := b.blobs(t)
		run(t, *reader.program, "garbage-collect", config)
		if freed := before - b.blobs(t); freed != 4 { // two layers, the configuration, the manifest
			t.Fatalf("%s collects: want 4 blobs freed, got %d", reader.name, freed)
		}
		s = writer.serve(t, config)
		c.want(t, s, true)
		ocilayout.WantSameBlobs(t, c.other, pull(t, s, "late/app:v1"))
		if got := tags(t, s, "z/gone"); !slices.Equal(got, []string{"kept"}) {
			t.Fatalf("%s: tags after the other's deletion: want kept alone, got %q", s.name, got)
		}
		push(t, s, c.gone, "z/gone:again")
		s.stop()
		b.wantNoUploads(t)
	})
}

// TestBothWriteTheSameObjects: after the same pushes either's bucket has the same keys with the same bytes.
func TestBothWriteTheSameObjects(t *testing.T) {
	c := newCollection(t)
	buckets := map[string]*bucket{}
	for _, i := range []implementation{theirs, ours} {
		b := newBucket(t, "versitygw")
		s := i.serve(t, b.configure(t))
		c.push(t, s)
		s.stop()
		buckets[i.name] = b
	}
	there, here := buckets["distribution"], buckets["berth"]
	want, got := there.service.Objects(t, there.name), here.service.Objects(t, here.name)
	if !maps.Equal(want, got) {
		t.Fatalf("want the objects that distribution wrote:\n%v\ngot\n%v", want, got)
	}
	for key := range want {
		a, _ := there.service.Object(t, there.name, key)
		b, _ := here.service.Object(t, here.name, key)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: want the %d bytes that distribution wrote, got %d other ones", key, len(a), len(b))
		}
	}
}

// TestWhatDistributionBeganOnS3IsContinued at the offset that it had told the client: in whole parts, in parts whose last is too short to be
// followed by another, and in one that is all there is.
func TestWhatDistributionBeganOnS3IsContinued(t *testing.T) {
	for _, service := range []string{"versitygw", "minio"} {
		t.Run(service, func(t *testing.T) {
			b := newBucket(t, service)
			config := b.configure(t)
			for _, patches := range [][]int64{{}, {3 * mib}, {12 * mib}, {10 * mib}, {12 * mib, 3 * mib}, {3 * mib, 4*mib + 1, 5 * mib}} {
				t.Run(fmt.Sprintf("after patches of %v", patches), func(t *testing.T) { continued(t, b, config, patches) })
			}
		})
	}
}

func continued(t *testing.T, b *bucket, config string, patches []int64) {
	var size int64
	for _, n := range patches {
		size += n
	}
	s := theirs.serve(t, config)
	u, at := begin(t, s, byte(size%251), size+8*mib+3), int64(0)
	for _, n := range patches {
		u.send(s, at, at+n)
		at += n
	}
	s.stop()

	s = ours.serve(t, config)
	if got := u.size(s); got != size {
		t.Fatalf("want the %d bytes that distribution has, got %d", size, got)
	}
	last := int64(len(u.content)) - 1000
	u.send(s, size, size+mib+1)
	if got := u.size(s); got != size+mib+1 {
		t.Fatalf("after a PATCH of ours: want %d bytes, got %d", size+mib+1, got)
	}
	s.kill()
	s = ours.serve(t, config)
	u.send(s, size+mib+1, last)
	u.commit(s, u.content[last:])
	s.stop()
	b.wantNoUploads(t)
	b.blobs(t)
	s = theirs.serve(t, config)
	s.wantBlob(uploads, u.content)
	s.stop()
}

// TestWhatDistributionWasReceivingOnS3IsContinued: it was killed in the middle of a PATCH, the first or one after a part that is too
// short. Ours says how much there is, and goes on from there.
func TestWhatDistributionWasReceivingOnS3IsContinued(t *testing.T) {
	for _, service := range []string{"versitygw", "minio"} {
		for _, before := range []int64{0, 12*mib + 1} {
			t.Run(fmt.Sprintf("%s after %d", service, before), func(t *testing.T) {
				b := newBucket(t, service)
				config := b.configure(t)
				s := theirs.serve(t, config)
				u := begin(t, s, 30, 50*mib)
				if before > 0 {
					u.send(s, 0, before)
				}
				sent := int64(b.service.Count(servers.PartsSent))
				u.interrupt(s, before, before+25*mib)
				u.waitFor("parts that distribution sent", sent+2, func() int64 { return int64(b.service.Count(servers.PartsSent)) })
				s.kill()

				s = ours.serve(t, config)
				if got := u.size(s); got < before || got > before+25*mib {
					t.Fatalf("want from %d to %d bytes, got %d", before, before+25*mib, got)
				}
				u.finish(s)
				s.stop()
				b.wantNoUploads(t)
				b.blobs(t)
			})
		}
	}
}

// TestAnUploadOnS3ThatBothBegan: ours has the first bytes of an upload, distribution goes on from where it says that there is
// something, and ours again. Whatever is committed has the digest that it is committed under.
func TestAnUploadOnS3ThatBothBegan(t *testing.T) {
	b := newBucket(t, "versitygw")
	config := b.configure(t)
	for _, size := range []int64{1000, 10*mib + 5, 23 * mib} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := ours.serve(t, config)
			u := begin(t, s, byte(size), 40*mib)
			u.send(s, 0, size/2)
			u.send(s, size/2, size)
			s.stop()
			s = theirs.serve(t, config)
			a, err := s.do(t.Context(), "GET", u.location, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a.StatusCode == 204 {
				at := u.size(s)
				t.Logf("of %d bytes distribution finds %d", size, at)
				u.send(s, at, at+11*mib)
			}
			s.stop()
			s = ours.serve(t, config)
			if got := u.size(s); got < size {
				t.Fatalf("want the %d bytes that ours had, got %d", size, got)
			}
			u.finish(s)
			s.stop()
			b.blobs(t)
		})
	}
}
