//go:build servers

package interchange

import (
	"bytes"
	"net/http"
	"testing"
)

// TestAHashStateOfOtherContentVouchesForNothing: a client sends one content to ours and another of the same length to
// distribution, in one upload, so that the hash state of the other lies beside what ours has. What is committed
// must have the digest that it is committed under.
func TestAHashStateOfOtherContentVouchesForNothing(t *testing.T) {
	root := t.TempDir()
	here, there := ours.start(t, root), theirs.start(t, root)
	here.mustPushBlob(uploads, random(t, 72, 1000))
	u := begin(t, here, 70, 4*mib)
	u.send(here, 0, 3*mib)
	sent := u.location

	forged := &upload{t: t, content: random(t, 71, 4*mib), location: sent}
	forged.wantNotBegun(there)
	forged.send(there, 0, 3*mib)

	u.size(here)
	claimed := digestOf(forged.content)
	a, err := here.do(t.Context(), "PUT", withDigest(u.location, claimed), forged.content[3*mib:], "Content-Type", "application/octet-stream")
	if err != nil {
		t.Fatal(err)
	}
	blob := here.blob(claimed)
	if a.StatusCode == http.StatusCreated || blob.StatusCode != http.StatusNotFound {
		t.Errorf("want a commit refused whose content has another digest, got %s; then the blob has digest %s and was to have %s, and is what was sent: %v",
			a.Status, digestOf(blob.body), claimed, bytes.Equal(blob.body, forged.content))
	}
	here.stop()
	there.stop()
	wantBlobsIntact(t, root)
}

func (s *server) blob(digest string) *answer {
	s.t.Helper()
	a, err := s.do(s.t.Context(), "GET", "/v2/"+uploads+"/blobs/"+digest, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// TestTwoPatchesAtOnceForgeNothing: of two PATCHes of one upload that come at the same time, each with a content of its own, one has
// the upload. What is committed then has the digest that it is committed under.
func TestTwoPatchesAtOnceForgeNothing(t *testing.T) {
	const rounds = 60
	root := t.TempDir()
	s := ours.start(t, root)
	committed := 0
	for round := range rounds {
		u := begin(t, s, byte(2*round), 40_000)
		contents := [][]byte{u.content, random(t, byte(2*round+1), 40_000)}
		done := make(chan error, len(contents))
		for _, content := range contents {
			go func() {
				_, err := s.do(t.Context(), "PATCH", u.location, content, "Content-Type", "application/octet-stream")
				done <- err
			}()
		}
		for range contents {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		u.size(s)
		for _, content := range contents {
			a, err := s.do(t.Context(), "PUT", withDigest(u.location, digestOf(content)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if a.StatusCode == http.StatusCreated {
				committed++
				s.wantBlob(uploads, content)
				break
			}
		}
	}
	s.stop()
	if committed == 0 {
		t.Fatal("want some of the uploads committed, got none")
	}
	wantBlobsIntact(t, root)
	t.Logf("%d of %d uploads were committed", committed, rounds)
}

// TestTwoPutsAtOnceForgeNothing is the same for two that complete the upload, each with all its content.
func TestTwoPutsAtOnceForgeNothing(t *testing.T) {
	const rounds = 60
	root := t.TempDir()
	s := ours.start(t, root)
	committed := 0
	for round := range rounds {
		u := begin(t, s, byte(2*round), 40_000)
		done := make(chan error, 2)
		statuses := make(chan int, 2)
		for _, content := range [][]byte{u.content, random(t, byte(2*round+1), 40_000)} {
			go func() {
				a, err := s.do(t.Context(), "PUT", withDigest(u.location, digestOf(content)), content, "Content-Type", "application/octet-stream")
				if err == nil && a.StatusCode == http.StatusCreated {
					err = s.readBlob(t.Context(), uploads, content)
				}
				if a != nil {
					statuses <- a.StatusCode
				}
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		for range len(statuses) {
			if <-statuses == http.StatusCreated {
				committed++
			}
		}
	}
	s.stop()
	if committed == 0 {
		t.Fatal("want some of the uploads committed, got none")
	}
	wantBlobsIntact(t, root)
	t.Logf("%d of %d uploads were committed", committed, 2*rounds)
}
