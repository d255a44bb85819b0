package objects_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is an object store on loopback with one object. What it does to a request is drawn or chosen by its test.
type service struct {
	t      testing.TB
	url    string
	client *http.Client
	fault  func(r request) fault // nil is none

	mu       sync.Mutex
	content  []byte
	tag      string
	requests []request
}

type request struct {
	number      int // from 0
	offset, end int64
	tag         string
}

// fault is what becomes of a request. Its zero value is a whole answer.
type fault struct {
	status  int
	header  http.Header
	cut     int64 // how many bytes come before the connection breaks, -1 for none; 0 is no cut
	reset   bool  // it breaks with a reset
	stall   int64 // how many bytes come before nothing comes any more, -1 for none; 0 is no stall
	extra   int   // bytes after those that were promised
	claim   int64 // added to the promised length
	replace []byte
	delete  bool
	ignore  bool // If-Match is
	noTag   bool
}

const none = -1

func randomBytes(size int) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = source.Read(content)
	return content
}

func newService(t testing.TB, size int) *service {
	t.Helper()
	s := &service{t: t, content: randomBytes(size), tag: `"1"`}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.Config.ErrorLog = quiet()
	server.Start()
	s.url = server.URL
	transport, err := objects.Transport(objects.TransportOptions{Connections: 4})
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return s
}

func (s *service) all() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	first, last, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	s.mu.Lock()
	q := request{number: len(s.requests), tag: r.Header.Get("If-Match")}
	q.offset, _ = strconv.ParseInt(first, 10, 64)
	q.end = int64(len(s.content))
	if n, err := strconv.ParseInt(last, 10, 64); err == nil {
		q.end = min(q.end, n+1)
	}
	s.requests = append(s.requests, q)
	s.mu.Unlock()
	var f fault
	if s.fault != nil {
		f = s.fault(q)
	}
	s.mu.Lock()
	switch {
	case f.replace != nil:
		s.content, s.tag = f.replace, fmt.Sprintf(`"%d"`, q.number+1)
	case f.delete:
		s.content, s.tag = nil, ""
	}
	content, tag := s.content, s.tag
	s.mu.Unlock()
	for name, values := range f.header {
		w.Header()[name] = values
	}
	switch {
	case f.status != 0:
		w.WriteHeader(f.status)
	case tag == "":
		w.WriteHeader(http.StatusNotFound)
	case q.tag != "" && q.tag != tag && !f.ignore:
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		if !f.noTag {
			w.Header().Set("ETag", tag)
		}
		s.send(w, r, content, q, f)
	}
}

// send answers with a range, and with what f makes of it.
func (s *service) send(w http.ResponseWriter, r *http.Request, content []byte, q request, f fault) {
	q.end = min(q.end, int64(len(content)))
	data := content[min(q.offset, q.end):q.end]
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", q.offset, q.end-1, len(content)))
	w.Header().Set("Promised", strconv.FormatInt(int64(len(data))+f.claim, 10))
	if f.extra == 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(int64(len(data))+f.claim, 10))
	}
	w.WriteHeader(http.StatusPartialContent)
	switch {
	case f.cut != 0 || f.claim > 0:
		if f.cut != 0 {
			data = data[:min(max(f.cut, 0), int64(len(data)))]
		}
		_, _ = w.Write(data)
		_ = http.NewResponseController(w).Flush()
		if !f.reset {
			panic(http.ErrAbortHandler)
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			s.t.Error(err)
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	case f.stall != 0 && f.stall < int64(len(data)):
		_, _ = w.Write(data[:min(max(f.stall, 0), int64(len(data)))])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		_, _ = w.Write(data)
		_, _ = w.Write(make([]byte, f.extra))
	}
}

// open is an OpenFunc.
func (s *service) open(ctx context.Context, offset, length int64, tag string) (objects.Opened, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return objects.Opened{}, err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	if length >= 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	}
	if tag != "" {
		r.Header.Set("If-Match", tag)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return objects.Opened{}, &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: err}
	}
	if response.StatusCode != http.StatusPartialContent {
		_ = response.Body.Close()
		e := storagedriver.Errorf(storagedriver.KindUnknown, "GET was answered with status %d", response.StatusCode)
		e.Kind, e.Temporary, e.RetryAfter = objects.Status(response.StatusCode, response.Header)
		return objects.Opened{}, e
	}
	opened := objects.Opened{Body: response.Body, Tag: response.Header.Get("ETag")}
	opened.Length, _ = strconv.ParseInt(response.Header.Get("Promised"), 10, 64)
	_, size, _ := strings.Cut(response.Header.Get("Content-Range"), "/")
	opened.Size, _ = strconv.ParseInt(size, 10, 64)
	return opened, nil
}

// brisk are options with which a test does not wait.
func brisk() objects.BodyOptions { return objects.BodyOptions{Pause: time.Nanosecond} }

// mustOpen opens the object from offset to its end.
func (s *service) mustOpen(offset int64, o objects.BodyOptions) io.ReadCloser {
	s.t.Helper()
	return s.mustOpenUnder(s.t.Context(), offset, o)
}

func (s *service) mustOpenUnder(ctx context.Context, offset int64, o objects.BodyOptions) io.ReadCloser {
	s.t.Helper()
	body, opened, err := objects.Open(ctx, s.open, offset, -1, o)
	if err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	if opened.Body != nil {
		s.t.Error("Open gives away the body of the first answer")
	}
	s.t.Cleanup(func() { _ = body.Close() })
	return body
}

func wantKind(t testing.TB, err error, kind storagedriver.Kind, temporary bool, says string) {
	t.Helper()
	if err == nil || storagedriver.KindOf(err) != kind || storagedriver.IsTemporary(err) != temporary || !strings.Contains(err.Error(), says) {
		t.Errorf("want an error of kind %q, temporary: %v, that says %q, got kind %q, temporary: %v: %v",
			kind, temporary, says, storagedriver.KindOf(err), storagedriver.IsTemporary(err), err)
	}
}

// quiet is the log of a server whose connections are meant to break.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
