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
	"github.com/berth-dev/storagedriver/testsuites/servers"

	driver "github.com/berth-dev/storagedriver/drivers/s3"
)

// When a connection breaks.
const (
	never int32 = iota
	beforeEffect
	afterEffect
)

// unanswered is a service between which and one of two drivers the connection may break while the state of an upload is stored.
type unanswered struct {
	t          *testing.T
	service    servers.S3
	breaks     atomic.Int32          // when
	one, other storagedriver.Backend // one sends each request once
}

func startUnanswered(t *testing.T) *unanswered {
	t.Helper()
	u := &unanswered{t: t, service: servers.StartS3(t, "versitygw", "BERTH_VERSITYGW")}
	target, err := url.Parse(u.service.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		breaks := u.breaks.Load()
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "~upload") || breaks == never {
			proxy.ServeHTTP(w, r)
			return
		}
		if breaks == afterEffect {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(front.Close)
	parameters := on(t, u.service)
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
	u.one, u.other = opened(map[string]any{"regionendpoint": front.URL, "maxattempts": 1}), opened(nil)
	return u
}

func (u *unanswered) open(b storagedriver.Backend, append bool) storagedriver.Upload {
	u.t.Helper()
	upload, err := b.OpenUpload(u.t.Context(), "/dir/file", append)
	if err != nil {
		u.t.Fatalf("OpenUpload: %v", err)
	}
	return upload
}

// resumed opens the upload with the other driver, which must find the tail.
func (u *unanswered) resumed(tail []byte) storagedriver.Upload {
	u.t.Helper()
	upload := u.open(u.other, true)
	if upload.Tail == nil {
		u.t.Fatalf("want a tail, got %+v", upload)
	}
	body, err := upload.Tail.Open(u.t.Context())
	if err != nil {
		u.t.Fatalf("the tail: %v", err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, tail) {
		u.t.Fatalf("the tail: want %d bytes, got %d, %v", len(tail), len(got), err)
	}
	return upload
}

func (u *unanswered) done(what string, err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatalf("%s: %v", what, err)
	}
}

func (u *unanswered) fails(what string, err error, kind storagedriver.Kind) {
	u.t.Helper()
	if err == nil || storagedriver.KindOf(err) != kind {
		u.t.Fatalf("%s: want %v, got %v", what, kind, err)
	}
}

// wantNothing wants no object but those with the suffixes, and no upload.
func (u *unanswered) wantNothing(but ...string) {
	u.t.Helper()
	objects, err := u.service.Client().ListObjectsV2(u.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil {
		u.t.Fatal(err)
	}
	for _, o := range objects.Contents {
		known := false
		for _, suffix := range but {
			known = known || strings.HasSuffix(*o.Key, suffix)
		}
		if !known {
			u.t.Errorf("the object %s is left", *o.Key)
		}
	}
	uploads, err := u.service.Client().ListMultipartUploads(u.t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil || len(uploads.Uploads) > 0 && len(but) == 0 {
		u.t.Errorf("want no upload to be left, got %d, %v", len(uploads.Uploads), err)
	}
}

var (
	aTail = bytes.Repeat([]byte("tail"), 100_000) // more than a state has room for
	aPart = bytes.Repeat([]byte("part"), smallPart/4)
)

func putPart(t *testing.T, b storagedriver.Backend, u storagedriver.Upload) error {
	t.Helper()
	_, err := b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource(aPart)})
	return err
}

func suspend(t *testing.T, b storagedriver.Backend, u storagedriver.Upload, tail []byte) error {
	t.Helper()
	return b.SuspendUpload(t.Context(), u.Token, u.Receipts, storagedriver.BytesSource(tail))
}

// A suspend without an answer may have been one: who goes on with the upload keeps its tail, though the suspend is repeated, and refused.
func TestASuspendThatIsRepeatedLeavesAnothersTail(t *testing.T) {
	t.Parallel()
	u := startUnanswered(t)
	begun := u.open(u.one, false)
	u.breaks.Store(afterEffect)
	u.fails("SuspendUpload without an answer", suspend(t, u.one, begun, aTail), storagedriver.KindUnavailable)
	u.breaks.Store(never)
	u.done("PutPart of another", putPart(t, u.other, u.resumed(aTail)))
	u.fails("SuspendUpload once more", suspend(t, u.one, begun, aTail), storagedriver.KindConflict)
	u.done("SuspendUpload of another without a tail", suspend(t, u.other, u.resumed(aTail), nil))
	u.fails("SuspendUpload once more", suspend(t, u.one, begun, aTail), storagedriver.KindConflict)
	u.wantNothing("~upload") // its tail is nobody's any more
}

// A state without an answer may name the multipart upload that was created for it: who goes on finds that, and what was suspended before.
func TestAFirstPartWithoutAnAnswerKeepsWhatWasSuspended(t *testing.T) {
	t.Parallel()
	u := startUnanswered(t)
	u.done("SuspendUpload", suspend(t, u.one, u.open(u.one, false), aTail))
	resumed := u.open(u.one, true)
	u.breaks.Store(afterEffect)
	u.fails("PutPart without an answer", putPart(t, u.one, resumed), storagedriver.KindUnavailable)
	u.resumed(aTail)
	u.fails("PutPart without an answer once more", putPart(t, u.one, resumed), storagedriver.KindUnavailable)
	u.breaks.Store(never)
	another := u.resumed(aTail)
	u.done("PutPart of another", putPart(t, u.other, another))
	u.fails("PutPart of the first one", putPart(t, u.one, resumed), storagedriver.KindConflict)
	u.done("CancelUpload of the first one", u.one.CancelUpload(t.Context(), resumed.Token))
	u.resumed(aTail)
	u.done("CancelUpload of the other", u.other.CancelUpload(t.Context(), another.Token))
	u.wantNothing()
}

// What was created for a state goes with the upload, whether it was saved or not.
func TestAFirstPartThatIsGivenUpLeavesNothing(t *testing.T) {
	t.Parallel()
	u := startUnanswered(t)
	for _, breaks := range []int32{beforeEffect, afterEffect} {
		for _, end := range []string{"cancel", "suspend"} {
			begun := u.open(u.one, false)
			u.breaks.Store(breaks)
			u.fails("PutPart without an answer", putPart(t, u.one, begun), storagedriver.KindUnavailable)
			u.breaks.Store(never)
			if end == "cancel" {
				u.done("CancelUpload", u.one.CancelUpload(t.Context(), begun.Token))
			} else {
				u.done("SuspendUpload", suspend(t, u.one, begun, aTail))
				u.done("CancelUpload", u.other.CancelUpload(t.Context(), u.resumed(aTail).Token))
			}
			u.wantNothing()
		}
	}
}
