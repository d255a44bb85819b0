//go:build servers

package s3_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites/servers"

	driver "github.com/berth-dev/storagedriver/drivers/s3"
)

// A rule of the bucket may end a multipart upload whose state stays: who goes on begins anew.
func TestAnUploadThatTheServiceHasEndedBeginsAnew(t *testing.T) {
	t.Parallel()
	service := servers.StartS3(t, "versitygw", "BERTH_VERSITYGW")
	d, err := factory.FromOpen(driver.Name, driver.Open).Create(t.Context(), on(t, service))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, size := range []int{smallPart + 10, 2*smallPart + smallPart/2} { // the tail is in the state, and beside it
		content := bytes.Repeat([]byte("0123456789"), size/10)
		write(t, d, false, content, false)
		api := service.Client()
		uploads, err := api.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
		if err != nil || len(uploads.Uploads) != 1 {
			t.Fatalf("ListMultipartUploads: want one, got %v, %v", uploads, err)
		}
		u := uploads.Uploads[0]
		if _, err := api.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: u.Key, UploadId: u.UploadId}); err != nil {
			t.Fatal(err)
		}
		write(t, d, true, content[:100], true)
		got, err := d.GetContent(t.Context(), "/dir/file")
		if err != nil || !bytes.Equal(got, content[:100]) {
			t.Errorf("GetContent: want the 100 bytes of the new upload, got %d, %v", len(got), err)
		}
		if err := d.Delete(t.Context(), "/dir"); err != nil {
			t.Fatal(err)
		}
		objects, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
		if err != nil || len(objects.Contents) > 0 {
			t.Errorf("the service has %v, %v, want nothing", objects.Contents, err)
		}
	}
}

// A suspend without an answer may have been one: who goes on with the upload keeps its tail, though the suspend is repeated, and refused.
func TestASuspendThatIsRepeatedLeavesAnothersTail(t *testing.T) {
	t.Parallel()
	service := servers.StartS3(t, "versitygw", "BERTH_VERSITYGW")
	target, err := url.Parse(service.URL)
	if err != nil {
		t.Fatal(err)
	}
	var loses atomic.Bool // the answers about states
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "~upload") || !loses.Load() {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	defer front.Close()
	parameters := on(t, service)
	opened := func(more map[string]any) storagedriver.Backend {
		all := maps.Clone(parameters)
		maps.Copy(all, more)
		b, err := driver.Open(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	one, other := opened(map[string]any{"regionendpoint": front.URL, "maxattempts": 1}), opened(nil)
	const path = "/dir/file"
	tail, part := bytes.Repeat([]byte("tail"), 100_000), bytes.Repeat([]byte("part"), smallPart/4)
	begun, err := one.OpenUpload(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	suspend := func() error {
		return one.SuspendUpload(t.Context(), begun.Token, begun.Receipts, storagedriver.BytesSource(tail))
	}
	loses.Store(true)
	if err := suspend(); storagedriver.KindOf(err) != storagedriver.KindUnavailable {
		t.Fatalf("SuspendUpload without an answer: want %v, got %v", storagedriver.KindUnavailable, err)
	}
	loses.Store(false)
	wantTail := func() storagedriver.Upload {
		u, err := other.OpenUpload(t.Context(), path, true)
		if err != nil || u.Tail == nil {
			t.Fatalf("OpenUpload: want a tail, got %+v, %v", u, err)
		}
		body, err := u.Tail.Open(t.Context())
		if err != nil {
			t.Fatalf("the tail: %v", err)
		}
		defer body.Close()
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, tail) {
			t.Fatalf("the tail: want %d bytes, got %d, %v", len(tail), len(got), err)
		}
		return u
	}
	if _, err := other.PutPart(t.Context(), wantTail().Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource(part)}); err != nil {
		t.Fatal(err)
	}
	if err := suspend(); storagedriver.KindOf(err) != storagedriver.KindConflict {
		t.Fatalf("SuspendUpload once more: want %v, got %v", storagedriver.KindConflict, err)
	}
	wantTail()
}

// write writes content to an upload of size 0, and commits or suspends it.
func write(t *testing.T, d storagedriver.StorageDriver, resume bool, content []byte, commit bool) {
	t.Helper()
	w, err := d.Writer(t.Context(), "/dir/file", resume)
	if err != nil {
		t.Fatalf("Writer: %v", err)
	}
	defer w.Close()
	if n := w.Size(); n != 0 {
		t.Fatalf("Size: want 0, got %d", n)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if commit {
		err = w.Commit(t.Context())
	} else {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
