//go:build servers

package interchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func random(t *testing.T, seed byte, size int64) []byte {
	t.Helper()
	content, err := io.ReadAll(ocilayout.Random(seed, size))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body []byte
}

// wantStatus returns an error unless the status is one of those wanted.
func (a *answer) wantStatus(want ...int) error {
	if slices.Contains(want, a.StatusCode) {
		return nil
	}
	return fmt.Errorf("%s %s: want status %v, got %s: %.300s", a.Request.Method, a.Request.URL, want, a.Status, a.body)
}

// do sends a request to s; target is a path, or a URL whose host is replaced. header has names and values in turn. It
// may be called concurrently.
func (s *server) do(ctx context.Context, method, target string, body []byte, header ...string) (*answer, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = "http", s.addr
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return &answer{res, b}, err
}

// must is do for tests that go on only with one of the statuses.
func (s *server) must(method, target string, body []byte, status int, header ...string) *answer {
	s.t.Helper()
	a, err := s.do(s.t.Context(), method, target, body, header...)
	if err == nil {
		err = a.wantStatus(status)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return a
}

// withDigest adds what completes an upload to its URL.
func withDigest(location, digest string) string {
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	return location + separator + "digest=" + url.QueryEscape(digest)
}

// pushBlob uploads content with a POST, a PATCH and a PUT.
func (s *server) pushBlob(ctx context.Context, repository string, content []byte) error {
	a, err := s.do(ctx, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	if err = errors.Join(err, statusOf(a, 202)); err != nil {
		return err
	}
	a, err = s.do(ctx, "PATCH", a.Header.Get("Location"), content, "Content-Type", "application/octet-stream")
	if err = errors.Join(err, statusOf(a, 202)); err != nil {
		return err
	}
	a, err = s.do(ctx, "PUT", withDigest(a.Header.Get("Location"), digestOf(content)), nil)
	return errors.Join(err, statusOf(a, 201))
}

func (s *server) mustPushBlob(repository string, content []byte) {
	s.t.Helper()
	if err := s.pushBlob(s.t.Context(), repository, content); err != nil {
		s.t.Fatal(err)
	}
}

// statusOf is wantStatus for an answer that may be missing.
func statusOf(a *answer, want ...int) error {
	if a == nil {
		return errors.New("no answer")
	}
	return a.wantStatus(want...)
}

// readBlob returns an error unless the blob is content.
func (s *server) readBlob(ctx context.Context, repository string, content []byte) error {
	a, err := s.do(ctx, "GET", "/v2/"+repository+"/blobs/"+digestOf(content), nil)
	if err = errors.Join(err, statusOf(a, 200)); err != nil {
		return err
	}
	if !bytes.Equal(a.body, content) {
		return fmt.Errorf("%s: the blob: want %d bytes as sent, got %d other ones", s.name, len(content), len(a.body))
	}
	return nil
}

func (s *server) wantBlob(repository string, content []byte) {
	s.t.Helper()
	if err := s.readBlob(s.t.Context(), repository, content); err != nil {
		s.t.Fatal(err)
	}
}

// pushManifest stores v at a tag or under its digest, and returns its bytes.
func (s *server) pushManifest(repository, reference, mediaType string, v any) []byte {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	if reference == "" {
		reference = digestOf(b)
	}
	s.must("PUT", "/v2/"+repository+"/manifests/"+reference, b, 201, "Content-Type", mediaType)
	return b
}

// catalog reads all pages of n repositories.
func (s *server) catalog(n int) []string {
	s.t.Helper()
	var all []string
	for next := fmt.Sprintf("/v2/_catalog?n=%d", n); next != ""; {
		a := s.must("GET", next, nil, 200)
		var page struct{ Repositories []string }
		if err := json.Unmarshal(a.body, &page); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.Repositories...)
		next, _, _ = strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
	}
	return all
}
