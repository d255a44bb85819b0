package davfs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver/cmd/berth/internal/davfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a running server and the directory it serves.
type site struct {
	t   *testing.T
	url string
	dir string
}

func start(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	s, err := davfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{t: t, url: h.URL, dir: dir}
}

// do sends one request and returns its status and body.
func (s site) do(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, string(b)
}

func (s site) want(status int, method, path, body string, header ...string) {
	s.t.Helper()
	if got, text := s.do(method, path, body, header...); got != status {
		s.t.Fatalf("%s %s: want status %d, got %d %s", method, path, status, got, text)
	}
}

// holds demands the content at path.
func (s site) holds(path, content string) {
	s.t.Helper()
	status, got := s.do("GET", path, "")
	if status != 200 || got != content {
		s.t.Fatalf("GET %s: want 200 %q, got %d %q", path, content, status, got)
	}
}

// leftovers demands that nothing half done is kept.
func (s site) leftovers() {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		names, err := os.ReadDir(filepath.Join(s.dir, "partial"))
		if err != nil {
			s.t.Fatal(err)
		}
		if len(names) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("want no temporary files, got %v", names)
		}
		<-time.After(time.Millisecond)
	}
}

func TestPutReadMoveDelete(t *testing.T) {
	s := start(t)
	s.want(201, "MKCOL", "/a", "")
	s.want(405, "MKCOL", "/a", "")
	s.want(409, "MKCOL", "/missing/b", "")
	s.want(201, "PUT", "/a/x", "first")
	s.holds("/a/x", "first")
	s.want(201, "PUT", "/a/x", "second")
	s.holds("/a/x", "second")
	s.want(201, "PUT", "/a/empty", "")
	s.holds("/a/empty", "")
	if status, body := s.do("GET", "/a/x", "", "Range", "bytes=2-3"); status != 206 || body != "co" {
		t.Fatalf("range: want 206 co, got %d %q", status, body)
	}
	s.want(201, "MOVE", "/a/x", "", "Destination", "/a/y", "Overwrite", "F")
	s.want(404, "GET", "/a/x", "")
	s.holds("/a/y", "second")
	if status, body := s.do("PROPFIND", "/a/", "", "Depth", "1"); status != 207 || !strings.Contains(body, "<D:href>/a/y</D:href>") {
		t.Fatalf("PROPFIND: want 207 with /a/y, got %d %s", status, body)
	}
	s.want(204, "DELETE", "/a", "")
	s.want(404, "DELETE", "/a", "")
	s.want(404, "GET", "/a/y", "")
	s.leftovers()
}

func TestPutWhereItCannotBe(t *testing.T) {
	s := start(t)
	s.want(201, "PUT", "/file", "x")
	s.want(201, "MKCOL", "/dir", "")
	s.want(409, "PUT", "/missing/x", "x")
	s.want(409, "PUT", "/file/x", "x")
	s.want(409, "MKCOL", "/file/x", "")
	s.want(405, "PUT", "/dir", "x")
	s.want(404, "PROPFIND", "/file/x", "", "Depth", "0")
	s.want(404, "GET", "/file/x", "")
	s.holds("/file", "x")
	s.leftovers()
}

func TestRefusesWhatItWouldIgnore(t *testing.T) {
	s := start(t)
	s.want(201, "PUT", "/x", "whole")
	s.want(501, "PUT", "/x", "part", "Content-Range", "bytes 0-3/9")
	s.want(501, "PUT", "/x", "other", "If-None-Match", "*")
	for _, method := range []string{"LOCK", "UNLOCK", "PROPPATCH", "POST"} {
		s.want(405, method, "/x", "", "Destination", "/y")
	}
	s.holds("/x", "whole")
}

// send writes a raw request and closes the connection without waiting for an answer.
func (s site) send(raw string) {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, raw); err != nil {
		s.t.Fatal(err)
	}
	// Half a close: the server's answer shows that it is done with the request.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func TestAbortedPutLeavesTheOldContent(t *testing.T) {
	for name, raw := range map[string]string{
		"length":             "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this",
		"length, no body":    "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n",
		"chunked":            "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
		"chunked, mid-chunk": "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n99\r\nonly this",
		"chunked, no CRLF":   "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.want(201, "PUT", "/x", "old and whole")
			s.send(raw)
			s.leftovers()
			s.holds("/x", "old and whole")
		})
	}
}

func TestAbortedPutCreatesNothing(t *testing.T) {
	s := start(t)
	s.send("PUT /new HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this")
	s.leftovers()
	s.want(404, "GET", "/new", "")
}

func TestChunkedPutIsKept(t *testing.T) {
	s := start(t)
	body := struct{ io.Reader }{strings.NewReader("no length known")}
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.url+"/x", body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 201 {
		t.Fatalf("want 201, got %s", res.Status)
	}
	s.holds("/x", "no length known")
}

func TestMoveOfMissingSourceLeavesTheTarget(t *testing.T) {
	s := start(t)
	s.want(201, "PUT", "/target", "kept")
	s.want(404, "MOVE", "/missing", "", "Destination", "/target", "Overwrite", "T")
	s.want(404, "MOVE", "/target/below", "", "Destination", "/target2", "Overwrite", "T")
	s.holds("/target", "kept")
	s.want(201, "MKCOL", "/dir", "")
	s.want(201, "PUT", "/dir/x", "kept too")
	s.want(404, "MOVE", "/missing", "", "Destination", "/dir", "Overwrite", "T")
	s.holds("/dir/x", "kept too")
}

func TestMoveOverwrites(t *testing.T) {
	s := start(t)
	s.want(201, "PUT", "/a", "a")
	s.want(201, "PUT", "/b", "b")
	s.want(412, "MOVE", "/a", "", "Destination", "/b", "Overwrite", "F")
	s.want(204, "MOVE", "/a", "", "Destination", s.url+"/b", "Overwrite", "T")
	s.holds("/b", "a")
	s.want(404, "GET", "/a", "")

	s.want(201, "MKCOL", "/from", "")
	s.want(201, "PUT", "/from/x", "x")
	s.want(201, "MKCOL", "/to", "")
	s.want(201, "PUT", "/to/y", "y")
	s.want(204, "MOVE", "/from", "", "Destination", "/to", "Overwrite", "T")
	s.holds("/to/x", "x")
	s.want(404, "GET", "/to/y", "")
	s.want(409, "MOVE", "/to", "", "Destination", "/missing/to", "Overwrite", "T")
	s.want(403, "MOVE", "/to", "", "Destination", "/to/below", "Overwrite", "T")
	s.want(403, "MOVE", "/to/x", "", "Destination", "/to", "Overwrite", "T")
	s.holds("/to/x", "x")
	s.want(204, "MOVE", "/b", "", "Destination", "/to", "Overwrite", "T")
	s.holds("/to", "a")
	s.leftovers()
}

func TestCopy(t *testing.T) {
	s := start(t)
	s.want(201, "PUT", "/a", "content of a")
	s.want(201, "PUT", "/b", "b")
	s.want(412, "COPY", "/a", "", "Destination", "/b", "Overwrite", "F")
	s.holds("/b", "b")
	s.want(204, "COPY", "/a", "", "Destination", "/b", "Overwrite", "T")
	s.holds("/b", "content of a")
	s.holds("/a", "content of a")
	s.want(404, "COPY", "/missing", "", "Destination", "/b", "Overwrite", "T")
	s.holds("/b", "content of a")
	s.want(201, "MKCOL", "/dir", "")
	s.want(201, "PUT", "/dir/x", "x")
	s.want(201, "PUT", "/dir/empty", "")
	s.want(201, "COPY", "/dir", "", "Destination", "/dir2")
	s.holds("/dir2/x", "x")
	s.holds("/dir2/empty", "")
	s.want(403, "COPY", "/dir", "", "Destination", "/b", "Overwrite", "T")
	s.want(403, "COPY", "/dir", "", "Destination", "/dir2", "Overwrite", "T")
	s.want(405, "COPY", "/a", "", "Destination", "/dir2", "Overwrite", "T")
	s.want(409, "COPY", "/a", "", "Destination", "/missing/b")
	s.holds("/b", "content of a")
	s.holds("/dir2/x", "x")
	s.leftovers()
}

// TestReadersSeeWholeContents replaces a file by PUT and by MOVE while it is being read.
func TestReadersSeeWholeContents(t *testing.T) {
	s := start(t)
	content := func(i int) string { return strings.Repeat(fmt.Sprintf("%07d\n", i), 16<<10) }
	s.want(201, "PUT", "/x", content(0))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				status, got := s.do("GET", "/x", "")
				if status != 200 || len(got) != len(content(0)) || got != strings.Repeat(got[:8], 16<<10) {
					t.Errorf("want one whole content, got status %d with %d bytes beginning %.20q", status, len(got), got)
					return
				}
			}
		})
	}
	for i := range 20 {
		s.want(201, "PUT", "/x", content(i))
		s.want(201, "PUT", "/y", content(i))
		s.want(204, "MOVE", "/y", "", "Destination", "/x", "Overwrite", "T")
	}
	stop()
	readers.Wait()
}

func TestNothingOutsideIsReached(t *testing.T) {
	s := start(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(s.dir, "data", "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/link", "/../lock", "/%2e%2e/lock", "/..%2flock"} {
		if status, body := s.do("GET", path, ""); status == 200 {
			t.Errorf("GET %s: want a refusal, got %q", path, body)
		}
	}
	if status, _ := s.do("PUT", "/link/x", "x"); status < 400 {
		t.Errorf("PUT through a link out of the tree: want a refusal, got %d", status)
	}
	if status, _ := s.do("DELETE", "/", ""); status < 400 {
		t.Errorf("DELETE /: want a refusal, got %d", status)
	}
}

func TestSurvivesRestartAndClearsLeftovers(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		s, err := davfs.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := davfs.Open(dir); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Fatalf("a second Open: want a refusal, got %v", err)
		}
		names, err := os.ReadDir(filepath.Join(dir, "partial"))
		if err != nil || len(names) != 0 {
			t.Fatalf("want no leftovers, got %v, %v", names, err)
		}
		if i == 0 {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "PUT", "/x", bytes.NewReader([]byte("kept"))))
			if w.Code != 201 {
				t.Fatalf("PUT: want 201, got %d", w.Code)
			}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil))
		if w.Code != 200 || w.Body.String() != "kept" {
			t.Fatalf("want kept, got %d %q", w.Code, w.Body)
		}
		if err := os.WriteFile(filepath.Join(dir, "partial", "crashed"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
