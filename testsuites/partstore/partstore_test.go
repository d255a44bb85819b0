package partstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// client sends requests to a store.
type client struct {
	t   *testing.T
	url string
	*Store
}

func start(t *testing.T, c Config) *client {
	t.Helper()
	s := New(c)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &client{t: t, url: server.URL, Store: s}
}

// do returns status, body and headers; headers are names and values in turn.
func (c *client) do(method, path, body string, headers ...string) (int, string, http.Header) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func (c *client) want(status int, method, path, body string, headers ...string) (string, http.Header) {
	c.t.Helper()
	got, text, h := c.do(method, path, body, headers...)
	if got != status {
		c.t.Fatalf("%s %s: want status %d, got %d: %s", method, path, status, got, text)
	}
	return text, h
}

func (c *client) wantContent(key, content string) {
	c.t.Helper()
	if got, _ := c.want(200, "GET", "/objects/"+key, ""); got != content {
		c.t.Fatalf("GET %s: want %q, got %q", key, content, got)
	}
}

func TestObjectsAreStoredReadAndDeleted(t *testing.T) {
	c := start(t, Config{})
	large := strings.Repeat("0123456789", chunkSize/4)
	c.want(404, "GET", "/objects/a", "")
	c.want(201, "PUT", "/objects/a", large)
	c.wantContent("a", large)
	got, h := c.want(206, "GET", "/objects/a", "", "Range", fmt.Sprintf("bytes=%d-%d", chunkSize-3, chunkSize+3))
	if want := large[chunkSize-3 : chunkSize+4]; got != want || h.Get("Content-Length") != "7" {
		t.Fatalf("a range over two chunks: want %q, got %q", want, got)
	}
	_, h = c.want(416, "GET", "/objects/a", "", "Range", fmt.Sprintf("bytes=%d-", len(large)))
	if want := fmt.Sprintf("bytes */%d", len(large)); h.Get("Content-Range") != want {
		t.Fatalf("Content-Range at the end: want %q, got %q", want, h.Get("Content-Range"))
	}
	c.want(200, "PUT", "/objects/a", "new")
	c.want(201, "PUT", "/objects/b/c", "", "Copy-From", "/objects/a")
	c.wantContent("b/c", "new")
	c.want(404, "PUT", "/objects/d", "", "Copy-From", "/objects/none")
	c.want(204, "DELETE", "/objects/a", "")
	c.want(404, "DELETE", "/objects/a", "")
	c.want(400, "GET", "/objects/a//b", "")
	c.want(400, "PUT", "/objects/../b", "x")
	c.want(405, "PATCH", "/objects/a", "")
}

func TestATreeIsDeletedWithoutItsSiblings(t *testing.T) {
	c := start(t, Config{})
	for _, key := range []string{"a", "a/1", "a/b/2", "ab", "a-b", "b"} {
		c.want(201, "PUT", "/objects/"+key, "x")
	}
	c.want(204, "DELETE", "/objects/a?tree", "")
	if got := fmt.Sprint(c.Keys()); got != "[a-b ab b]" {
		t.Fatalf("want [a-b ab b] left, got %s", got)
	}
	c.want(404, "DELETE", "/objects/a?tree", "")
}

func TestConditionsHold(t *testing.T) {
	c := start(t, Config{})
	_, h := c.want(201, "PUT", "/objects/s", "1", "If-None-Match", "*")
	first := h.Get("ETag")
	c.want(412, "PUT", "/objects/s", "2", "If-None-Match", "*")
	_, h = c.want(200, "PUT", "/objects/s", "1", "If-Match", first)
	if h.Get("ETag") == first {
		t.Fatalf("the same bytes stored again: want another tag than %s", first)
	}
	c.want(412, "PUT", "/objects/s", "3", "If-Match", first)
	c.want(412, "DELETE", "/objects/s", "", "If-Match", first)
	c.want(204, "DELETE", "/objects/s", "", "If-Match", h.Get("ETag"))
	c.want(412, "PUT", "/objects/s", "3", "If-Match", h.Get("ETag"))
}

func TestOnlyOneOfManyConditionalPutsWins(t *testing.T) {
	c := start(t, Config{})
	var group sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 20 {
		group.Go(func() {
			if status, _, _ := c.do("PUT", "/objects/s", "x", "If-None-Match", "*"); status == 201 {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if won != 1 {
		t.Fatalf("want 1 of 20 to win, got %d", won)
	}
}

func TestListingsArePagedAndSorted(t *testing.T) {
	c := start(t, Config{})
	for _, key := range []string{"d/a-x", "d/a/1", "d/a/2", "d/a.x", "d/b~up", "d/c~up", "e"} {
		c.want(201, "PUT", "/objects/"+key, "xy")
	}
	names := func(query string) string {
		after, all := "", []string{}
		for {
			text, h := c.want(200, "GET", "/list?"+query+"&after="+after, "")
			for line := range strings.Lines(text) {
				fields := strings.Fields(line)
				all = append(all, fields[len(fields)-1])
			}
			if after = h.Get("Next"); after == "" {
				return strings.Join(all, " ")
			}
		}
	}
	for query, want := range map[string]string{
		"prefix=d/&delimiter=/&limit=1":     "a-x a.x a/ b~up c~up",
		"prefix=d/&delimiter=/":             "a-x a.x a/ b~up c~up",
		"prefix=d/&limit=2":                 "a-x a.x a/1 a/2 b~up c~up",
		"prefix=d/a&limit=1":                "-x .x /1 /2",
		"prefix=&suffix=~up&limit=1":        "d/b~up d/c~up",
		"prefix=&delimiter=/":               "d/ e",
		"prefix=none":                       "",
		"prefix=d/&delimiter=/&suffix=none": "",
	} {
		if got := names(query); got != want {
			t.Errorf("list %s: want %q, got %q", query, want, got)
		}
	}
	c.want(400, "GET", "/list?limit=0", "")
	c.want(400, "GET", "/list?delimiter=x", "")
}

func (c *client) part(path, body string) string {
	c.t.Helper()
	_, h := c.want(200, "PUT", path, body)
	return strings.Trim(h.Get("ETag"), `"`)
}

func TestAnUploadBecomesContentInOneStep(t *testing.T) {
	c := start(t, Config{MinPart: 4, MaxPart: 8, MaxParts: 5})
	const up = "/objects/k?upload=U1"
	c.want(404, "PUT", up+"&part=1", "abcd")
	c.want(201, "POST", up, "")
	c.want(200, "POST", up, "")
	c.want(200, "HEAD", up, "")
	stale := c.part(up+"&part=1", "abcd")
	one := c.part(up+"&part=1", "ABCD")
	three := c.part(up+"&part=3", "ef")
	c.want(413, "PUT", up+"&part=2", "123456789")
	c.want(400, "PUT", up+"&part=2", "")
	c.want(400, "PUT", up+"&part=0", "x")
	c.want(400, "PUT", up+"&part=6", "x")
	c.want(409, "POST", up+"&complete", "1 none\n")
	c.want(409, "POST", up+"&complete", "2 "+one+"\n")
	c.want(400, "POST", up+"&complete", "3 "+three+"\n1 "+one+"\n")
	c.want(400, "POST", up+"&complete", "1 "+one+"\n1 "+stale+"\n")
	c.want(400, "POST", up+"&complete", "")
	four := c.part(up+"&part=4", "last")
	c.want(400, "POST", up+"&complete", "3 "+three+"\n4 "+four+"\n")
	c.want(404, "GET", "/objects/k", "")
	if got, _ := c.want(200, "GET", up+"&part=1&etag="+stale, ""); got != "abcd" {
		t.Fatalf("the first content of part 1: want abcd, got %q", got)
	}
	c.want(201, "POST", up+"&complete", "1 "+one+"\n3 "+three+"\n")
	c.wantContent("k", "ABCDef")
	for _, method := range []string{"POST", "HEAD", "DELETE"} {
		c.want(410, method, up, "")
	}
	c.want(410, "PUT", up+"&part=1", "abcd")
	c.want(410, "POST", up+"&complete", "1 "+one+"\n")
}

func TestContentsMayLieInAFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "contents"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := start(t, Config{MinPart: 4, File: file})
	const up = "/objects/k?upload=U1"
	c.want(201, "POST", up, "")
	one, two := c.part(up+"&part=1", "abcd"), c.part(up+"&part=2", "efghi")
	c.want(201, "PUT", "/objects/other", "else")
	c.want(201, "POST", up+"&complete", "1 "+one+"\n2 "+two+"\n")
	c.wantContent("k", "abcdefghi")
	c.wantContent("other", "else")
	for asked, want := range map[string]string{"bytes=2-": "cdefghi", "bytes=3-4": "de", "bytes=5-6": "fg"} {
		if got, _ := c.want(206, "GET", "/objects/k", "", "Range", asked); got != want {
			t.Errorf("%s: want %q, got %q", asked, want, got)
		}
	}
	if info, err := file.Stat(); err != nil || info.Size() < 13 {
		t.Errorf("want the contents in the file, which has %v, %v", info, err)
	}
}

func TestUploadsAreListedAndAborted(t *testing.T) {
	c := start(t, Config{})
	c.want(201, "POST", "/objects/a/k?upload=U1", "")
	c.want(201, "POST", "/objects/a/k?upload=U2", "")
	c.want(201, "POST", "/objects/b?upload=U3", "")
	c.want(409, "POST", "/objects/other?upload=U3", "")
	c.want(404, "DELETE", "/objects/other?upload=U3", "")
	first, h := c.want(200, "GET", "/uploads?prefix=a/&limit=1", "")
	second, _ := c.want(200, "GET", "/uploads?prefix=a/&after="+strings.ReplaceAll(h.Get("Next"), " ", "%20"), "")
	listed := regexp.MustCompile(`^a/k U1 (\d{19})\na/k U2 (\d{19})\n$`).FindStringSubmatch(first + second)
	if listed == nil || listed[1] > listed[2] {
		t.Fatalf("want the two uploads to a/k and when they were begun, got %q and %q", first, second)
	}
	c.want(204, "DELETE", "/objects/a/k?upload=U1", "")
	c.want(410, "DELETE", "/objects/a/k?upload=U1", "")
	if got := fmt.Sprint(c.Unfinished()); got != "[a/k b]" {
		t.Fatalf("want [a/k b] unfinished, got %s", got)
	}
	c.want(400, "POST", "/objects/a?upload=not-an-id", "")
}

func TestAPartsDigestIsVerified(t *testing.T) {
	c := start(t, Config{})
	c.want(201, "POST", "/objects/k?upload=U", "")
	sum := sha256.Sum256([]byte("right"))
	digest := "sha256=" + hex.EncodeToString(sum[:])
	c.want(200, "PUT", "/objects/k?upload=U&part=1", "right", "Content-Digest", digest)
	c.want(400, "PUT", "/objects/k?upload=U&part=1", "wrong", "Content-Digest", digest)
}

func TestABodyMustBeAsLongAsItSays(t *testing.T) {
	c := start(t, Config{})
	c.want(201, "PUT", "/objects/k", "old")
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /objects/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive!")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(answer, []byte(" 400 ")) {
		t.Fatalf("a body that ends early: want status 400, got %q, %v", answer, err)
	}
	c.wantContent("k", "old")
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", c.url+"/objects/k", io.MultiReader(strings.NewReader("chunked")))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 411 {
		t.Fatalf("a body of unknown length: want status 411, got %d", resp.StatusCode)
	}
	c.wantContent("k", "old")
}

func TestFaultsFailBeforeOrAfterTheEffect(t *testing.T) {
	c := start(t, Config{})
	c.FailNth(OpPut, 2, Fault{Status: 503})
	c.want(201, "PUT", "/objects/a", "1")
	c.want(503, "PUT", "/objects/a", "2")
	c.wantContent("a", "1")
	c.FailNth(OpPut, 1, Fault{Status: 500, Late: true})
	c.want(500, "PUT", "/objects/a", "3")
	c.wantContent("a", "3")
	c.FailNth(OpPut, 1, Fault{Late: true})
	if status, text, _ := c.do("PUT", "/objects/a", "4"); status != 0 {
		t.Fatalf("a broken connection: want an error, got %d %s", status, text)
	}
	c.wantContent("a", "4")
	if got := c.Served()[OpPut]; got != 4 {
		t.Fatalf("want 4 puts counted, got %d", got)
	}
}

func TestOverlapCountsPartsOfOneUpload(t *testing.T) {
	c := start(t, Config{})
	for _, up := range []string{"a?upload=A", "b?upload=B"} {
		c.want(201, "POST", "/objects/"+up, "")
	}
	both := make(chan struct{}, 2)
	open := make(chan struct{})
	c.Intercept(func(ctx context.Context, r Request) *Fault {
		if r.Op == OpPart && r.Key == "a" {
			if both <- struct{}{}; len(both) == 2 {
				close(open)
			}
			select {
			case <-open:
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
				return &Fault{Status: 504}
			}
		}
		return nil
	})
	var group sync.WaitGroup
	for n := range 2 {
		group.Go(func() { c.do("PUT", fmt.Sprintf("/objects/a?upload=A&part=%d", n+1), "x") })
	}
	c.want(200, "PUT", "/objects/b?upload=B&part=1", "x")
	group.Wait()
	if a, b := c.Overlap("a"), c.Overlap("b"); a != 2 || b != 1 {
		t.Fatalf("want 2 parts of a and 1 of b at the same time, got %d and %d", a, b)
	}
}
