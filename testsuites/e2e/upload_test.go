//go:build servers

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

// upload is one upload of a blob, as a client sees it across restarts of the registry.
type upload struct {
	t        *testing.T
	content  []byte
	location *url.URL
}

func (u *upload) digest() string {
	sum := sha256.Sum256(u.content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// do sends a request about the upload to s and returns the answer, whose body is read.
func (u *upload) do(s *server, method, target string, body []byte, header ...string) *http.Response {
	u.t.Helper()
	res, err := u.try(s, method, target, body, header...)
	if err != nil {
		u.t.Fatal(err)
	}
	return res
}

// try is do for a server that may be killed meanwhile.
func (u *upload) try(s *server, method, target string, body []byte, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(u.t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL.Scheme, req.URL.Host = "http", s.addr
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 400 {
		return res, fmt.Errorf("%s %s: %s: %s", method, req.URL, res.Status, text)
	}
	if at, err := res.Location(); err == nil {
		u.location = at
	}
	return res, nil
}

// begin starts an upload of size bytes.
func begin(t *testing.T, s *server, seed byte, size int64) *upload {
	t.Helper()
	u := &upload{t: t, content: content(t, seed, size)}
	if res := u.do(s, "POST", "/v2/resume/app/blobs/uploads/", nil); res.StatusCode != http.StatusAccepted {
		t.Fatalf("POST: want 202, got %s", res.Status)
	}
	return u
}

func content(t *testing.T, seed byte, size int64) []byte {
	t.Helper()
	b, err := io.ReadAll(ocilayout.Random(seed, size))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// size asks how many bytes the registry has. None and one byte look the same on the wire; the tests
// never send just one.
func (u *upload) size(s *server) int64 {
	u.t.Helper()
	res := u.do(s, "GET", u.location.String(), nil)
	_, end, found := strings.Cut(res.Header.Get("Range"), "-")
	n, err := strconv.ParseInt(end, 10, 64)
	if res.StatusCode != http.StatusNoContent || !found || err != nil {
		u.t.Fatalf("status of the upload: %s with Range %q", res.Status, res.Header.Get("Range"))
	}
	if n == 0 {
		return 0
	}
	return n + 1
}

// patch opens a PATCH that promises all the rest from the offset, and returns its connection.
func (u *upload) patch(s *server, offset int64) *net.TCPConn {
	u.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(u.t.Context(), "tcp", s.addr)
	if err != nil {
		u.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		u.t.Fatal(err)
	}
	rest := int64(len(u.content)) - offset
	if _, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		u.location.RequestURI(), s.addr, rest); err != nil {
		u.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// finish sends what the registry does not have, completes the upload and reads the blob.
func (u *upload) finish(s *server) {
	u.t.Helper()
	offset := u.size(s)
	if rest := u.content[offset:]; len(rest) > 0 {
		u.do(s, "PATCH", u.location.String(), rest, "Content-Type", "application/octet-stream",
			"Content-Range", fmt.Sprintf("%d-%d", offset, len(u.content)-1))
	}
	if res := u.do(s, "PUT", u.completion(), nil); res.StatusCode != http.StatusCreated {
		u.t.Fatalf("PUT: want 201, got %s", res.Status)
	}
	u.wantBlob(s)
}

// completion is the URL that completes the upload.
func (u *upload) completion() string {
	at := *u.location
	query := at.Query()
	query.Set("digest", u.digest())
	at.RawQuery = query.Encode()
	return at.String()
}

// wantBlob demands that the blob can be read and is what was uploaded.
func (u *upload) wantBlob(s *server) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), "GET", "http://"+s.addr+"/v2/resume/app/blobs/"+u.digest(), nil)
	if err != nil {
		u.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(got, u.content) {
		u.t.Fatalf("the blob: want 200 and %d bytes as sent, got %s and %d bytes, %v", len(u.content), res.Status, len(got), err)
	}
}

func persistent(t *testing.T, f func(t *testing.T, s storage)) {
	for _, s := range storages {
		if !s.volatile {
			t.Run(s.name, func(t *testing.T) { f(t, s) })
		}
	}
}

// TestClientGoesAwayThenServerIsKilled: what a client sent before it went away is suspended; once the
// status says so, it survives kill -9, and the client goes on from there.
func TestClientGoesAwayThenServerIsKilled(t *testing.T) {
	persistent(t, func(t *testing.T, storage storage) {
		dir := t.TempDir()
		s := storage.start(t, dir)
		u := begin(t, s, 50, 60*mib)
		for _, sent := range []int64{20*mib + 123, 41*mib + 7} {
			from := u.size(s)
			conn := u.patch(s, from)
			if _, err := conn.Write(u.content[from:sent]); err != nil {
				t.Fatal(err)
			}
			// The end of the stream, not a reset: all that was sent arrives.
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			u.waitFor(s, sent)
			s.kill()
			s = storage.start(t, dir)
			if got := u.size(s); got != sent {
				t.Fatalf("another process: want %d bytes, got %d", sent, got)
			}
		}
		u.finish(s)
		s.stop()
	})
}

// waitFor polls the status until it says size.
func (u *upload) waitFor(s *server, size int64) {
	u.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := u.size(s)
		if got == size {
			return
		}
		if got > size || time.Now().After(deadline) {
			u.t.Fatalf("status of the suspended upload: want %d bytes, got %d", size, got)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// TestKilledDuringPatch: after kill -9 in the middle of a PATCH the size reported is what was durable,
// never more than was sent, and what the client sends from there completes the blob; nothing
// committed is lost, and the next push succeeds.
func TestKilledDuringPatch(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	ocilayout.WriteImage(t, image, 60, 2*mib)
	next := filepath.Join(t.TempDir(), "next")
	ocilayout.WriteImage(t, next, 70, 3*mib)
	persistent(t, func(t *testing.T, storage storage) {
		dir := t.TempDir()
		s := storage.start(t, dir)
		push(t, s, image, "resume/app:v1")
		committed := begin(t, s, 55, 5*mib)
		committed.finish(s)
		u := begin(t, s, 56, 160*mib)
		conn := u.patch(s, 0)
		sent, err := conn.Write(u.content[:130*mib])
		if err != nil {
			t.Fatal(err)
		}
		s.kill()
		conn.Close()
		if isUp(s.addr) {
			t.Fatalf("%s still answers", s.addr)
		}
		s = storage.start(t, dir)
		size := u.size(s)
		if size > int64(sent) {
			t.Fatalf("want at most the %d bytes sent, got %d", sent, size)
		}
		t.Logf("%d of %d bytes sent were durable", size, sent)
		committed.wantBlob(s)
		back := filepath.Join(t.TempDir(), "back")
		pull(t, s, "resume/app:v1", back)
		ocilayout.WantSameBlobs(t, image, back)
		push(t, s, next, "resume/app:v2")
		u.finish(s)
		s.stop()
	})
}
