package s3

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/berth-dev/storagedriver"
)

const (
	testAccess = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// surroundings clears what AWS's default chain looks at, and sets variables: name, value, name, value.
func surroundings(t *testing.T, variables ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	dir := t.TempDir()
	variables = append([]string{
		"AWS_CONFIG_FILE", filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"), "HOME", dir,
		"AWS_EC2_METADATA_DISABLED", "true", // it is at an address that is not of this machine
	}, variables...)
	for i := 0; i < len(variables); i += 2 {
		t.Setenv(variables[i], variables[i+1])
	}
}

// service is a service of the test's own: what no real one can be made to answer, it answers.
type service struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

// serve starts a service that notes each request before it answers it.
func serve(t *testing.T, tls bool, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // of a client that goes away there is what it sent
		s.mu.Lock()
		s.requests, s.bodies = append(s.requests, r.Clone(context.Background())), append(s.bodies, body)
		s.mu.Unlock()
		answer(w, r)
	}))
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// seen returns the requests so far.
func (s *service) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

// last is the last request, which there must be.
func (s *service) last(t *testing.T) *http.Request {
	t.Helper()
	all := s.seen()
	if len(all) == 0 {
		t.Fatal("no request came")
	}
	return all[len(all)-1]
}

// refusal answers with an error of S3's.
func refusal(status int, code, more string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("X-Amz-Request-Id", "REQ1")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>a message\nof %s.</Message>%s</Error>", code, code, more)
		}
	}
}

// emptyBucket answers a ListObjectsV2.
func emptyBucket(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `<ListBucketResult><Name>registry</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`)
}

// parameters are those of a driver of the service, with more.
func (s *service) parameters(more map[string]any) map[string]any { return parametersOf(s.URL, more) }

func parametersOf(url string, more map[string]any) map[string]any {
	p := map[string]any{
		"accesskey": testAccess, "secretkey": testSecret, "regionendpoint": url, "bucket": "registry", "forcepathstyle": true, "region": "eu-west-1",
	}
	for name, value := range more {
		if value == nil {
			delete(p, name)
			continue
		}
		p[name] = value
	}
	return p
}

// opened opens a driver, which must succeed.
func opened(t *testing.T, parameters map[string]any) *Driver {
	t.Helper()
	b, err := Open(t.Context(), parameters)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b.(*Driver)
}

// unprobed is opened without a request.
func unprobed(t *testing.T, parameters map[string]any) *Driver {
	t.Helper()
	p := maps.Clone(parameters)
	p["probe"] = false
	return opened(t, p)
}

// says fails unless err is of kind, one line, has all of texts, and no secret.
func says(t *testing.T, err error, kind storagedriver.Kind, texts ...string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind {
		t.Fatalf("got %v, want an error of kind %q", err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v\nwant %q in it", err, text)
		}
	}
	for _, secret := range []string{testSecret, "zebra", "\n"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q has %q in it", err, secret)
		}
	}
}

// clock returns the Date header of a service whose clock is ahead.
func clock(ahead time.Duration) string { return time.Now().Add(ahead).UTC().Format(http.TimeFormat) }

func ptr(s string) *string { return aws.String(s) }
