package servers

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// Watched is an S3 service behind a proxy that counts requests and notes which multipart uploads were asked for. It may
// be used concurrently.
type Watched struct {
	S3
	behind S3

	mu     sync.Mutex
	counts map[string]int
	begun  map[string]bool // the keys of uploads
}

// Watch puts a proxy before the service until the test ends. S3's URL is the proxy's.
func Watch(t testing.TB, s S3) *Watched {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &Watched{S3: s, behind: s, counts: map[string]int{}, begun: map[string]bool{}}
	proxy := &httputil.ReverseProxy{
		// The Host stays: it is signed.
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.note(r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.URL = front.URL
	return w
}

// What Count counts.
const (
	UploadsBegun  = "uploads begun"
	PartsSent     = "parts sent"
	PartsCopied   = "parts copied"
	PresignedGets = "presigned GETs"
)

func (w *Watched) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		w.counts[UploadsBegun]++
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		w.begun[key] = true
	case r.Method == http.MethodPut && query.Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") != "":
		w.counts[PartsCopied]++
	case r.Method == http.MethodPut && query.Has("partNumber"):
		w.counts[PartsSent]++
	case r.Method == http.MethodGet && query.Has("X-Amz-Signature"):
		w.counts[PresignedGets]++
	}
}

// Count returns how many requests of a sort there were.
func (w *Watched) Count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[what]
}

// UploadsLeft lists the keys that multipart uploads through this proxy were begun for and that still have one. It asks
// for each: minio lists them by whole keys alone.
func (w *Watched) UploadsLeft(t testing.TB, bucket string) []string {
	t.Helper()
	w.mu.Lock()
	var keys []string
	for key := range w.begun {
		keys = append(keys, key)
	}
	w.mu.Unlock()
	var left []string
	for _, key := range keys {
		out, err := w.behind.Client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			if aws.ToString(u.Key) == key {
				left = append(left, key)
			}
		}
	}
	return left
}

// Client returns a client of the service. It needs no closing.
func (s S3) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.URL, UsePathStyle: true, Region: Region, HTTPClient: s.HTTP(),
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
}

// Objects returns the sizes of all objects of a bucket, by their keys.
func (s S3) Objects(t testing.TB, bucket string) map[string]int64 {
	t.Helper()
	objects := map[string]int64{}
	pages := s3.NewListObjectsV2Paginator(s.Client(), &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			objects[aws.ToString(o.Key)] = aws.ToInt64(o.Size)
		}
	}
	return objects
}

// Object reads an object; false: there is none.
func (s S3) Object(t testing.TB, bucket, key string) ([]byte, bool) {
	t.Helper()
	out, err := s.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	var said smithy.APIError
	if errors.As(err, &said) && said.ErrorCode() == "NoSuchKey" {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content, true
}
