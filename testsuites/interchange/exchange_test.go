//go:build servers

package interchange

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

const mib = 1 << 20

// collection is what the tests push: every kind of thing that a registry stores.
type collection struct {
	image, other, gone, moved, index string // layouts
	goneDigest, indexDigest          string
	artifact                         []byte
	artifactTag                      string
	attached                         []byte // the blob of the artifact
}

func newCollection(t *testing.T) *collection {
	t.Helper()
	dir := t.TempDir()
	c := &collection{
		image: filepath.Join(dir, "image"), other: filepath.Join(dir, "other"), gone: filepath.Join(dir, "gone"),
		moved: filepath.Join(dir, "moved"), index: filepath.Join(dir, "index"),
		attached: []byte("what was found in the image"),
	}
	ocilayout.WriteImage(t, c.image, 1, 1000, 3*mib+1, 9*mib)
	ocilayout.WriteImage(t, c.other, 1, 1000, 200_000) // its first layer is image's
	c.goneDigest = ocilayout.WriteImage(t, c.gone, 40, 2*mib, 5)
	ocilayout.WriteImage(t, c.moved, 60, 1*mib, 90_000)
	c.indexDigest = ocilayout.WriteIndex(t, c.index, 80, []string{"amd64", "arm64", "s390x"}, 700, 300_000)
	return c
}

// push pushes the collection to s.
func (c *collection) push(t *testing.T, s *server) {
	t.Helper()
	push(t, s, c.image, "team/app:v1")
	run(t, crane, "tag", "--insecure", s.addr+"/team/app:v1", "v2")
	push(t, s, c.index, "team/multi:latest")
	push(t, s, c.gone, "z/gone:v1")
	push(t, s, c.gone, "z/gone:v2")
	push(t, s, c.other, "z/gone:kept")
	push(t, s, c.moved, "team/app/moving:tag") // below another repository
	push(t, s, c.image, "team/app/moving:tag") // and the first image has no tag any more
	c.mount(s)
	c.attach(s)
}

// mount gives the repository "mounted" the blobs of team/multi without sending them.
func (c *collection) mount(s *server) {
	s.t.Helper()
	run(s.t, crane, "copy", "--insecure", s.addr+"/team/multi:latest", s.addr+"/mounted:latest")
	s.mustPushBlob("a", c.attached)
	s.must("POST", "/v2/team/multi/blobs/uploads/?from=a&mount="+digestOf(c.attached), nil, 201)
}

// attach pushes an artifact whose subject is the index, and the tag by which clients find it.
func (c *collection) attach(s *server) {
	s.t.Helper()
	empty := []byte("{}")
	s.mustPushBlob("team/multi", empty)
	describe := func(mediaType string, content []byte) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digestOf(content), "size": len(content)}
	}
	subject := s.must("GET", "/v2/team/multi/manifests/"+c.indexDigest, nil, 200, "Accept", ocilayout.MediaTypeIndex)
	c.artifact = s.pushManifest("team/multi", "", ocilayout.MediaTypeManifest, map[string]any{
		"schemaVersion": 2, "mediaType": ocilayout.MediaTypeManifest, "artifactType": "application/vnd.example.report",
		"config":  describe("application/vnd.oci.empty.v1+json", empty),
		"layers":  []any{describe("text/plain", c.attached)},
		"subject": describe(ocilayout.MediaTypeIndex, subject.body),
	})
	c.artifactTag = strings.Replace(c.indexDigest, ":", "-", 1)
	s.pushManifest("team/multi", c.artifactTag, ocilayout.MediaTypeIndex, map[string]any{
		"schemaVersion": 2, "mediaType": ocilayout.MediaTypeIndex, "manifests": []any{describe(ocilayout.MediaTypeManifest, c.artifact)},
	})
}

// repositories are those that the catalog names: "a" has a blob and no manifest.
var repositories = []string{"mounted", "team/app", "team/app/moving", "team/multi", "z/gone"}

// want demands that s serves the collection, byte for byte; gone says that z/gone's image was deleted.
func (c *collection) want(t *testing.T, s *server, gone bool) {
	t.Helper()
	for name, layout := range map[string]string{
		"team/app:v1": c.image, "team/app:v2": c.image, "team/app/moving:tag": c.image,
		"team/multi:latest": c.index, "mounted:latest": c.index, "z/gone:kept": c.other,
	} {
		ocilayout.WantSameBlobs(t, layout, pull(t, s, name))
	}
	for repository, want := range map[string][]string{
		"team/app": {"v1", "v2"}, "team/app/moving": {"tag"}, "mounted": {"latest"}, "team/multi": {"latest", c.artifactTag},
	} {
		slices.Sort(want)
		if got := tags(t, s, repository); !slices.Equal(got, want) {
			t.Fatalf("%s lists the tags of %s: want %q, got %q", s.name, repository, want, got)
		}
	}
	if !gone {
		ocilayout.WantSameBlobs(t, c.gone, pull(t, s, "z/gone:v2"))
	}
	artifact := s.must("GET", "/v2/team/multi/manifests/"+digestOf(c.artifact), nil, 200, "Accept", ocilayout.MediaTypeManifest)
	if string(artifact.body) != string(c.artifact) {
		t.Fatalf("%s: want the artifact %s, got %s", s.name, c.artifact, artifact.body)
	}
	s.wantBlob("team/multi", c.attached)
}

func wantCatalog(t *testing.T, s *server, want []string) {
	t.Helper()
	for _, n := range []int{1, 2, 100} {
		if got := s.catalog(n); !slices.Equal(got, want) {
			t.Fatalf("%s: the catalog in pages of %d: want %q, got %q", s.name, n, want, got)
		}
	}
}

// TestOneReadsWhatTheOtherWrote, deletes some of it, writes more, and what both collect then is the same.
func TestOneReadsWhatTheOtherWrote(t *testing.T) {
	c := newCollection(t)
	eachWay(t, func(t *testing.T, writer, reader implementation) {
		root := t.TempDir()
		s := writer.start(t, root)
		c.push(t, s)
		wantCatalog(t, s, repositories)
		s.stop()

		s = reader.start(t, root)
		c.want(t, s, false)
		wantCatalog(t, s, repositories)
		run(t, crane, "delete", "--insecure", s.addr+"/z/gone@"+c.goneDigest)
		if got := tags(t, s, "z/gone"); !slices.Equal(got, []string{"kept"}) {
			t.Fatalf("%s: tags after the deletion: want kept alone, got %q", s.name, got)
		}
		push(t, s, c.other, "late/app:v1")
		s.stop()

		s = writer.start(t, root)
		c.want(t, s, true)
		ocilayout.WantSameBlobs(t, c.other, pull(t, s, "late/app:v1"))
		if got := tags(t, s, "z/gone"); !slices.Equal(got, []string{"kept"}) {
			t.Fatalf("%s: tags after the other's deletion: want kept alone, got %q", s.name, got)
		}
		s.stop()
		c.collectedAlike(t, root)
	})
}

// collectedAlike collects copies of root with either registry, which must leave the same, and has the other serve it.
func (c *collection) collectedAlike(t *testing.T, root string) {
	t.Helper()
	before := len(wantBlobsIntact(t, root))
	for _, untagged := range []bool{false, true} {
		byTheirs, byOurs := duplicate(t, root), duplicate(t, root)
		theirs.collect(t, byTheirs, untagged)
		ours.collect(t, byOurs, untagged)
		wantSameTree(t, "what distribution and berth leave after a collection", byTheirs, byOurs)

		freed := 4 // of z/gone's image: two layers, its configuration and its manifest
		if untagged {
			freed += 4 // and as much of team/app/moving's first
		}
		if got := before - len(wantBlobsIntact(t, byOurs)); got != freed {
			t.Fatalf("delete-untagged %v: want %d blobs freed, got %d", untagged, freed, got)
		}
		for i, copied := range map[implementation]string{ours: byTheirs, theirs: byOurs} {
			s := i.start(t, copied)
			c.want(t, s, true)
			push(t, s, c.gone, "z/gone:again")
			ocilayout.WantSameBlobs(t, c.gone, pull(t, s, "z/gone:again"))
			s.stop()
		}
	}
}

// TestBothWriteTheSameFiles: after the same pushes either's root has the same names, bytes and modes.
func TestBothWriteTheSameFiles(t *testing.T) {
	c := newCollection(t)
	roots := map[string]string{}
	for _, i := range []implementation{theirs, ours} {
		roots[i.name] = t.TempDir()
		s := i.start(t, roots[i.name])
		c.push(t, s)
		s.stop()
	}
	wantSameTree(t, "what distribution and berth wrote", roots["distribution"], roots["berth"])
}
