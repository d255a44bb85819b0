//go:build servers

package interchange

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// upload is one upload of a blob, as a client sees it across two registries.
type upload struct {
	t        *testing.T
	content  []byte
	location string
}

const uploads = "resume/app"

// begin starts an upload of size bytes.
func begin(t *testing.T, s *server, seed byte, size int64) *upload {
	t.Helper()
	a := s.must("POST", "/v2/"+uploads+"/blobs/uploads/", nil, 202)
	return &upload{t: t, content: random(t, seed, size), location: a.Header.Get("Location")}
}

// dir is where a registry on root keeps the upload.
func (u *upload) dir(root string) string {
	u.t.Helper()
	at, err := url.Parse(u.location)
	if err != nil {
		u.t.Fatal(err)
	}
	return filepath.Join(root, "docker/registry/v2/repositories", uploads, "_uploads", filepath.Base(at.Path))
}

// offset reads how many bytes an answer says there are. None and one byte look the same on the wire; the
// tests never send just one.
func (u *upload) offset(a *answer) int64 {
	u.t.Helper()
	_, end, found := strings.Cut(a.Header.Get("Range"), "-")
	n, err := strconv.ParseInt(end, 10, 64)
	if !found || err != nil {
		u.t.Fatalf("Range %q", a.Header.Get("Range"))
	}
	if n == 0 {
		return 0
	}
	return n + 1
}

// size asks how many bytes the registry has.
func (u *upload) size(s *server) int64 {
	u.t.Helper()
	a := s.must("GET", u.location, nil, 204)
	u.location = a.Header.Get("Location")
	return u.offset(a)
}

// send sends the content from one offset to another with a PATCH.
func (u *upload) send(s *server, from, to int64) {
	u.t.Helper()
	a := s.must("PATCH", u.location, u.content[from:to], 202, "Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("%d-%d", from, to-1))
	u.location = a.Header.Get("Location")
	if got := u.offset(a); got != to {
		u.t.Fatalf("%s: after a PATCH: want %d bytes, got %d", s.name, to, got)
	}
}

// commit completes the upload, with last as the end of its content, and reads the blob.
func (u *upload) commit(s *server, last []byte) {
	u.t.Helper()
	s.must("PUT", withDigest(u.location, digestOf(u.content)), last, 201, "Content-Type", "application/octet-stream")
	s.wantBlob(uploads, u.content)
}

// finish sends what the registry does not have and commits.
func (u *upload) finish(s *server) {
	u.t.Helper()
	if size := u.size(s); size < int64(len(u.content)) {
		u.send(s, size, int64(len(u.content)))
	}
	u.commit(s, nil)
}

// interrupt begins a PATCH of all the rest from an offset, and sends it as far as the other.
func (u *upload) interrupt(s *server, from, to int64) *net.TCPConn {
	u.t.Helper()
	at, err := url.Parse(u.location)
	if err != nil {
		u.t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(u.t.Context(), "tcp", s.addr)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		u.t.Fatal(err)
	}
	header := fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		at.RequestURI(), s.addr, int64(len(u.content))-from)
	if _, err := conn.Write(append([]byte(header), u.content[from:to]...)); err != nil {
		u.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// waitFor polls until what is a size is at least as much as wanted, and returns it.
func (u *upload) waitFor(what string, want int64, size func() int64) int64 {
	u.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		got := size()
		if got >= want {
			return got
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: want at least %d bytes, got %d", what, want, got)
		}
	}
}

// stored is the size of the file that distribution keeps an unfinished upload in.
func (u *upload) stored(root string) int64 {
	u.t.Helper()
	info, err := os.Stat(filepath.Join(u.dir(root), "data"))
	if err != nil {
		u.t.Fatal(err)
	}
	return info.Size()
}

// hashStates counts the hash states of the upload.
func (u *upload) hashStates(root string) int {
	u.t.Helper()
	found, err := filepath.Glob(filepath.Join(u.dir(root), "hashstates", "sha256", "*"))
	if err != nil {
		u.t.Fatal(err)
	}
	return len(found)
}

// wantGone demands that nothing is left of the upload.
func (u *upload) wantGone(root string) {
	u.t.Helper()
	left, err := filepath.Glob(u.dir(root) + "*")
	if err != nil || len(left) > 0 {
		u.t.Fatalf("want nothing left of a committed upload, got %q, %v", left, err)
	}
}

var ends = map[string]func(*server){"stopped": (*server).stop, "killed": (*server).kill}

// TestWhatDistributionBeganIsContinued, at the offset that distribution had told the client, and between two PATCHes.
func TestWhatDistributionBeganIsContinued(t *testing.T) {
	for how, end := range ends {
		for _, patches := range []int64{0, 1, 4} {
			t.Run(fmt.Sprintf("%s after %d patches", how, patches), func(t *testing.T) {
				root := t.TempDir()
				s := theirs.start(t, root)
				const each = 3*mib + 17
				u := begin(t, s, 10+byte(patches), 5*each)
				for i := range patches {
					u.send(s, i*each, (i+1)*each)
				}
				end(s)
				if states := u.hashStates(root); patches > 0 && states == 0 {
					t.Fatal("distribution left no hash state to continue from")
				}
				s = ours.start(t, root)
				if got := u.size(s); got != patches*each {
					t.Fatalf("want %d bytes, got %d", patches*each, got)
				}
				u.send(s, patches*each, 5*each-1000)
				if got := u.size(s); got != 5*each-1000 {
					t.Fatalf("after a PATCH of ours: want %d bytes, got %d", 5*each-1000, got)
				}
				u.commit(s, u.content[5*each-1000:])
				u.wantGone(root)
				s.stop()
				wantBlobsIntact(t, root)
				s = theirs.start(t, root)
				s.wantBlob(uploads, u.content)
				s.stop()
			})
		}
	}
}

// TestWhatDistributionWasReceivingIsContinued: it was killed, or stopped, in the middle of a PATCH. What its file has
// then is what the client sent, as far as it came.
func TestWhatDistributionWasReceivingIsContinued(t *testing.T) {
	for _, patches := range []int64{0, 2} {
		t.Run(fmt.Sprintf("killed in patch %d", patches+1), func(t *testing.T) {
			root := t.TempDir()
			s := theirs.start(t, root)
			const each, more = 2*mib + 3, 6*mib + 1
			u := begin(t, s, 20+byte(patches), 20*mib)
			for i := range patches {
				u.send(s, i*each, (i+1)*each)
			}
			u.interrupt(s, patches*each, patches*each+more)
			u.waitFor("what distribution stored", patches*each+5*mib, func() int64 { return u.stored(root) })
			s.kill()
			size := u.stored(root)
			if size > patches*each+more {
				t.Fatalf("want at most the %d bytes sent, got %d", patches*each+more, size)
			}
			s = ours.start(t, root)
			if got := u.size(s); got != size {
				t.Fatalf("want the %d bytes that distribution stored, got %d", size, got)
			}
			u.finish(s)
			u.wantGone(root)
			s.stop()
			wantBlobsIntact(t, root)
		})
	}
}

// TestAClientGoesAwayFromDistribution in the middle of a PATCH, and goes on with ours.
func TestAClientGoesAwayFromDistribution(t *testing.T) {
	root := t.TempDir()
	s := theirs.start(t, root)
	u := begin(t, s, 30, 12*mib)
	conn := u.interrupt(s, 0, 5*mib+11)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	u.waitFor("distribution's status", 5*mib+11, func() int64 { return u.size(s) })
	s.stop()
	s = ours.start(t, root)
	if got := u.size(s); got != 5*mib+11 {
		t.Fatalf("want %d bytes, got %d", 5*mib+11, got)
	}
	u.finish(s)
	s.stop()
	wantBlobsIntact(t, root)
}

// TestDistributionSeesOurUploadsAsNotBegun: it continues none, commits nothing wrong, and ours goes on
// where it was.
func TestDistributionSeesOurUploadsAsNotBegun(t *testing.T) {
	for how, end := range ends {
		for _, size := range []int64{0, 1000, 7*mib + 5} {
			t.Run(fmt.Sprintf("%s at %d", how, size), func(t *testing.T) {
				root := t.TempDir()
				s := ours.start(t, root)
				continued, abandoned := begin(t, s, 40, 9*mib), begin(t, s, 41, 9*mib)
				for _, u := range []*upload{continued, abandoned} {
					if size > 0 {
						u.send(s, 0, size/2)
						u.send(s, size/2, size)
					}
				}
				end(s)

				s = theirs.start(t, root)
				for _, u := range []*upload{continued, abandoned} {
					u.wantNotBegun(s)
				}
				abandoned.wantRefused(s, size)
				s.stop()

				s = ours.start(t, root)
				if got := continued.size(s); got != size {
					t.Fatalf("after distribution's look: want %d bytes, got %d", size, got)
				}
				continued.finish(s)
				continued.wantGone(root)
				s.mustPushBlob(uploads, abandoned.content)
				s.wantBlob(uploads, abandoned.content)
				s.stop()
				wantBlobsIntact(t, root)
			})
		}
	}
}

func (u *upload) wantNotBegun(s *server) {
	u.t.Helper()
	if got := u.size(s); got != 0 {
		u.t.Fatalf("%s: want an upload that has not begun, got one of %d bytes", s.name, got)
	}
}

// wantRefused has a client that believes in size bytes send the rest and commit, which must be refused.
func (u *upload) wantRefused(s *server, size int64) {
	u.t.Helper()
	if size == 0 {
		return
	}
	// No more than the connection takes: it is refused unread.
	a, err := s.do(u.t.Context(), "PATCH", u.location, u.content[size:size+1000], "Content-Type", "application/octet-stream",
		"Content-Range", fmt.Sprintf("%d-%d", size, size+999))
	if err != nil {
		u.t.Fatal(err)
	}
	if err := a.wantStatus(http.StatusRequestedRangeNotSatisfiable); err != nil {
		u.t.Fatal(err)
	}
	a, err = s.do(u.t.Context(), "PUT", withDigest(u.location, digestOf(u.content)), u.content[size:], "Content-Type", "application/octet-stream")
	if err != nil {
		u.t.Fatal(err)
	}
	if err := a.wantStatus(http.StatusBadRequest); err != nil {
		u.t.Fatal(err)
	}
	a, err = s.do(u.t.Context(), "GET", "/v2/"+uploads+"/blobs/"+digestOf(u.content), nil)
	if err != nil || a.StatusCode != http.StatusNotFound || bytes.Equal(a.body, u.content) {
		u.t.Fatalf("want no blob of an upload that was refused, got %v, %v", a, err)
	}
}

// TestDistributionBeginsOurUploadsAnew: a client that is told that nothing is there sends everything, and what distribution
// commits is that.
func TestDistributionBeginsOurUploadsAnew(t *testing.T) {
	root := t.TempDir()
	s := ours.start(t, root)
	u := begin(t, s, 50, 8*mib)
	u.send(s, 0, 3*mib)
	u.send(s, 3*mib, 5*mib)
	s.kill()
	s = theirs.start(t, root)
	u.wantNotBegun(s)
	u.send(s, 0, 2*mib)
	u.send(s, 2*mib, 5*mib)
	u.finish(s)
	u.wantGone(root)
	s.stop()
	wantBlobsIntact(t, root)
	s = ours.start(t, root)
	s.wantBlob(uploads, u.content)
	s.stop()
}

// TestAnUploadThatBothBegan: ours has the first bytes of an upload, distribution more of the same. Ours goes on with its
// own, and what is committed is whole.
func TestAnUploadThatBothBegan(t *testing.T) {
	root := t.TempDir()
	s := ours.start(t, root)
	u := begin(t, s, 60, 8*mib)
	u.send(s, 0, 2*mib)
	u.send(s, 2*mib, 3*mib)
	s.stop()
	s = theirs.start(t, root)
	u.wantNotBegun(s)
	u.send(s, 0, 3*mib)
	u.send(s, 3*mib, 6*mib)
	s.stop()
	s = ours.start(t, root)
	if got := u.size(s); got != 3*mib {
		t.Fatalf("want the %d bytes of the suspended upload, got %d", 3*mib, got)
	}
	u.finish(s)
	u.wantGone(root)
	s.stop()
	wantBlobsIntact(t, root)
}
