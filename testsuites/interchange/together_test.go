//go:build servers

package interchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

// TestBothAtTheSameTime: both registries run on one root. Clients of each push blobs of their own and blobs that others push at
// the same moment, with manifests under a tag of their own and one that all move; readers follow on the other registry.
func TestBothAtTheSameTime(t *testing.T) {
	const clients, rounds = 3, 6
	root := t.TempDir()
	servers := []*server{ours.start(t, root), theirs.start(t, root)}
	shared := make([][]byte, rounds)
	for i := range shared {
		shared[i] = random(t, 100+byte(i), 1*mib+int64(i))
	}
	var (
		group    sync.WaitGroup
		failures = make(chan error, 2*clients)
		own      [2][clients][][]byte
	)
	for side := range servers {
		for client := range clients {
			for round := range rounds {
				own[side][client] = append(own[side][client], random(t, byte(side*64+client*16+round), 300_000))
			}
			group.Add(1)
			go func() {
				defer group.Done()
				c := &pusher{here: servers[side], there: servers[1-side], repository: fmt.Sprintf("own/%d-%d", side, client)}
				for round := range rounds {
					if err := c.round(t.Context(), own[side][client][round], shared[round]); err != nil {
						failures <- fmt.Errorf("client %d of %s, round %d: %w", client, c.here.name, round, err)
						return
					}
				}
			}()
		}
	}
	group.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	for _, s := range servers {
		for _, content := range shared {
			s.wantBlob("shared/app", content)
		}
		for _, side := range own {
			for _, client := range side {
				s.wantBlob("shared/app", client[rounds-1])
			}
		}
		if got := tags(t, s, "shared/app"); !slices.Equal(got, []string{"moving"}) {
			t.Errorf("%s: want the tag that all moved, got %q", s.name, got)
		}
	}
	want := servers[0].catalog(2)
	if got := servers[1].catalog(2); !slices.Equal(got, want) || len(got) != 2*clients+1 {
		t.Errorf("want one catalog of %d repositories, got %q and %q", 2*clients+1, want, got)
	}
	for _, s := range servers {
		s.stop()
	}
	if digests := wantBlobsIntact(t, root); len(digests) < rounds*(2*clients+1) {
		t.Errorf("want at least %d blobs, got %d", rounds*(2*clients+1), len(digests))
	}
	collectedWithoutLoss(t, root)
}

// collectedWithoutLoss: all that is referred to stays. Manifests that a tag has left go, their blobs with them.
func collectedWithoutLoss(t *testing.T, root string) {
	t.Helper()
	byTheirs, byOurs := duplicate(t, root), duplicate(t, root)
	theirs.collect(t, byTheirs, true)
	ours.collect(t, byOurs, true)
	wantSameTree(t, "what distribution and berth leave after a collection", byTheirs, byOurs)
	wantBlobsIntact(t, byOurs)
}

// pusher is a client of one of the registries.
type pusher struct {
	here, there *server
	repository  string
}

// round pushes a blob to a repository of its own and, with one that others push as well, to one that all
// share, tags both, and reads everything back through either registry.
func (p *pusher) round(ctx context.Context, own, shared []byte) error {
	for _, push := range []struct {
		repository, tag string
		blobs           [][]byte
	}{
		{p.repository, "latest", [][]byte{own}},
		{"shared/app", "moving", [][]byte{own, shared}},
	} {
		for _, blob := range push.blobs {
			if err := p.here.pushBlob(ctx, push.repository, blob); err != nil {
				return err
			}
		}
		manifest, err := p.tag(ctx, push.repository, push.tag, push.blobs)
		if err != nil {
			return err
		}
		for _, s := range []*server{p.here, p.there} {
			for _, blob := range push.blobs {
				if err := s.readBlob(ctx, push.repository, blob); err != nil {
					return err
				}
			}
			a, err := s.do(ctx, "GET", "/v2/"+push.repository+"/manifests/"+digestOf(manifest), nil, "Accept", ocilayout.MediaTypeManifest)
			if err = errors.Join(err, statusOf(a, 200)); err != nil {
				return err
			}
			if string(a.body) != string(manifest) {
				return fmt.Errorf("%s: want the manifest %s, got %s", s.name, manifest, a.body)
			}
			// Whoever moved the tag last, it names a manifest that is there.
			a, err = s.do(ctx, "GET", "/v2/"+push.repository+"/manifests/"+push.tag, nil, "Accept", ocilayout.MediaTypeManifest)
			if err = errors.Join(err, statusOf(a, 200)); err != nil {
				return err
			}
			if d := a.Header.Get("Docker-Content-Digest"); d != digestOf(a.body) {
				return fmt.Errorf("%s: want the manifest %s, got that of %s", s.name, d, digestOf(a.body))
			}
		}
	}
	return nil
}

// tag pushes a manifest of the blobs, the first of which is its configuration.
func (p *pusher) tag(ctx context.Context, repository, tag string, blobs [][]byte) ([]byte, error) {
	var described []map[string]any
	for _, blob := range blobs {
		described = append(described, map[string]any{"mediaType": "application/octet-stream", "digest": digestOf(blob), "size": len(blob)})
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": ocilayout.MediaTypeManifest, "config": described[0], "layers": described[1:],
	})
	if err != nil {
		return nil, err
	}
	a, err := p.here.do(ctx, "PUT", "/v2/"+repository+"/manifests/"+tag, manifest, "Content-Type", ocilayout.MediaTypeManifest)
	return manifest, errors.Join(err, statusOf(a, 201))
}
